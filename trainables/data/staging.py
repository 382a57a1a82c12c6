"""Takes the crops of a batch from the threads that read them, and gives the batch as networks see it.

On a CPU each thread finishes its images, one after the other, while they are in its core's cache. For a GPU a
thread only copies a crop; the batch is then resized, mirrored and normalised there, all images at once.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.data.augment import normalise_planes
from trainables.data.copy_stream import CopyStream
from trainables.data.resampling import resized, resized_batch


class Staging(Protocol):
    """Takes crops [h,w,3] uint8, each by one thread, in any order; gives images [B,3,size,size] float32."""

    def put(self, row: int, crop: NDArray[np.uint8], flip: bool) -> None:
        """Take the crop of image ``row``, to be mirrored or not."""

    def images(self) -> Tensor:
        """Return the batch, once all crops are there."""


class HostStaging:
    """Finishes images on the host.

    >>> batch = HostStaging(1, 4, torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0.25, 0.25, 0.25]))
    >>> batch.put(0, np.full((8, 6, 3), 255, np.uint8), flip=True)
    >>> batch.images().shape, batch.images().max().item()
    (torch.Size([1, 3, 4, 4]), 2.0)
    """

    def __init__(self, count: int, size: int, mean: Tensor, std: Tensor) -> None:
        self.size = size
        self._images = torch.empty(count, size, size, 3)
        self._lines = self._images.numpy().reshape(count, size, 3 * size)
        self._mean, self._std = (np.tile(part.numpy(), size) for part in (mean, std))

    def put(self, row: int, crop: NDArray[np.uint8], flip: bool) -> None:
        """Take a crop as :class:`Staging` says: the steps of ``normalise_planes``, on whole lines."""
        shown = resized(crop, self.size, self.size)
        line = self._lines[row]
        line[:] = (shown[:, ::-1] if flip else shown).reshape(line.shape)
        line /= np.float32(255)
        line -= self._mean
        line /= self._std

    def images(self) -> Tensor:
        """Return the batch as :class:`Staging` says."""
        return self._images.permute(0, 3, 1, 2)


class DeviceStaging:
    """Carries crops to a device in one copy, and finishes them there.

    Args:
        copies: to the device.
        room: pixels of a side of what a crop may be; a larger one is resized on the host.
        mean, std: [3] on the device.
    """

    def __init__(
        self, copies: CopyStream, count: int, room: int, size: int, mean: Tensor, std: Tensor
    ) -> None:
        self.size, self._mean, self._std = size, mean, std
        self._copies = copies
        pinned = mean.device.type == "cuda"
        self._pixels = torch.empty(count, room, room, 3, dtype=torch.uint8, pin_memory=pinned)
        self._about = torch.zeros(count, 3, dtype=torch.int64, pin_memory=pinned)
        self._host_pixels, self._host_about = self._pixels.numpy(), self._about.numpy()

    def put(self, row: int, crop: NDArray[np.uint8], flip: bool) -> None:
        """Take a crop as :class:`Staging` says."""
        if max(crop.shape) > self._host_pixels.shape[1]:
            crop = resized(crop, self.size, self.size)
        height, width = crop.shape[:2]
        self._host_pixels[row, :height, :width] = crop
        self._host_about[row] = height, width, flip

    def images(self) -> Tensor:
        """Return the batch as :class:`Staging` says."""
        height, width = self._host_about[:, :2].max(0).tolist()
        pixels = self._copies.copy(self._pixels)[:, :height, :width]
        about = self._copies.copy(self._about)
        planes = resized_batch(pixels, about[:, :2], about[:, 2] == 1, self.size)
        return normalise_planes(planes, self._mean, self._std)
