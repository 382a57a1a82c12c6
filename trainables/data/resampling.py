"""Resizes crops to one size, bilinear with antialiasing as Pillow and torchvision do it.

On the host an image at a time (:func:`resized`), by torch's 8-bit kernel; on a device a whole batch at once
(:func:`resized_batch`), as two products with matrices of weights. The two agree within one level of 255.
"""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from trainables.data.readers.sized import shrunk

PART = 64
"""Images that are resized at once, for their float32 copies take twelve bytes a pixel."""


def resized(pixels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize one image [H,W,3] to ``height`` x ``width``.

    >>> resized(np.full((8, 6, 3), 7, np.uint8), 4, 4).shape
    (4, 4, 3)
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    planes = torch.from_numpy(np.require(pixels, requirements=["C", "W"])).permute(2, 0, 1)[None]
    found = interpolate(planes, size=(height, width), mode="bilinear", antialias=True)
    return cast(NDArray[np.uint8], found[0].permute(1, 2, 0).numpy())


def centre(pixels: NDArray[np.uint8], resize: int, size: int) -> NDArray[np.uint8]:
    """Return the centre, ``size`` x ``size``, of an image whose shorter side is resized to ``resize``.

    >>> centre(np.zeros((300, 400, 3), np.uint8), resize=256, size=224).shape
    (224, 224, 3)
    """
    height, width = shrunk(pixels.shape[0], pixels.shape[1], resize)
    top, left = round((height - size) / 2), round((width - size) / 2)
    return resized(pixels, height, width)[top : top + size, left : left + size]


def resized_batch(pixels: Tensor, sizes: Tensor, flips: Tensor, size: int) -> Tensor:
    """Resize the upper left parts of a batch of images, and mirror some.

    Args:
        pixels: [B,H,W,3] uint8.
        sizes: [B,2], height and width of the part of each that is meant; the rest is not looked at.
        flips: [B] bool.
        size: pixels of a side of what is returned.

    Returns:
        [B,3,size,size] uint8.
    """
    parts = zip(*(torch.split(part, PART) for part in (pixels, sizes, flips)), strict=True)
    return torch.cat([_resized_part(image, extent, flip, size) for image, extent, flip in parts])


def _resized_part(pixels: Tensor, sizes: Tensor, flips: Tensor, size: int) -> Tensor:
    down = _weights(sizes[:, 0], pixels.shape[1], size)
    across = _weights(sizes[:, 1], pixels.shape[2], size)
    across = torch.where(flips[:, None, None], across.flip(1), across)
    planes = pixels.permute(0, 3, 1, 2).float()
    rows = down[:, None] @ planes
    return (rows @ across[:, None].transpose(2, 3)).round_().clamp_(0, 255).byte()


def _weights(extents: Tensor, length: int, size: int) -> Tensor:
    """Return [B,size,length]: what each of a line's first ``extents`` [B] pixels adds to each new one."""
    scale = extents.float()[:, None, None] / size
    support = scale.clamp(min=1)
    new = torch.arange(size, device=extents.device)[:, None] + 0.5
    old = torch.arange(length, device=extents.device) + 0.5
    weights = (1 - (old - new * scale).abs() / support).clamp_(min=0)
    weights *= old < extents[:, None, None]
    return weights / weights.sum(2, keepdim=True)
