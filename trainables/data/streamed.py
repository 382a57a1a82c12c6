"""Reads splits from image files anew in each epoch, by threads, some batches ahead of the steps.

What an image looks like depends on (seed, epoch, index) alone, whatever the number of threads. Threads, as
decoding, cropping and resizing let go of the interpreter's lock: they hand images over in place, live as long
as the data set and need no start in each epoch.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.config.data import Data
from trainables.data.copy_stream import CopyStream
from trainables.data.crops import random_crops, uniform
from trainables.data.decoding import ReadPixels, pixel_reader
from trainables.data.epoch_plan import EpochPlan
from trainables.data.partition import SplitIndices
from trainables.data.raw import RawData, StreamedViews, check_strength
from trainables.data.resampling import centre
from trainables.data.split import Batch, MakeSplit, Split, as_tensor
from trainables.data.staging import DeviceStaging, HostStaging, Staging

TASK = 8
"""Images that a thread reads at a time."""

Seeds = tuple[int, int] | None
"""The (seed, epoch) of an augmentation, or None for evaluation."""


class ImageReader:
    """Reads batches of one part of a set by threads.

    Args:
        mean, std: [3], on the device.
        threads: None to read in the caller's.
        strength: of the augmentation.
    """

    def __init__(
        self,
        read: ReadPixels,
        keys: NDArray[Any],
        views: StreamedViews,
        mean: Tensor,
        std: Tensor,
        threads: ThreadPoolExecutor | None,
        workers: int,
        strength: float = 1.0,
    ) -> None:
        self.read, self.keys, self.views, self.mean, self.std = read, keys, views, mean, std
        self.threads, self.workers, self.strength = threads, workers, strength
        self._copies = CopyStream(mean.device)

    def of_strength(self, strength: float) -> ImageReader:
        """Return a reader, of the same threads, whose augmentation is that strong."""
        other = copy.copy(self)
        other.strength = strength
        return other

    def batches(self, index: NDArray[np.int64], sizes: list[int], seeds: Seeds) -> Iterator[Tensor]:
        """Yield the images at raw positions ``index`` [n], in batches of ``sizes``, on the device."""
        if not sizes:
            return
        waiting: deque[tuple[Staging, list[Future[None]]]] = deque()
        parts = iter(np.split(index, np.cumsum(sizes)[:-1]))
        try:
            for positions in parts:
                waiting.append(self._begun(positions, seeds))
                if len(waiting) > self._ahead(sizes[0]):
                    yield self._done(waiting)
            while waiting:
                yield self._done(waiting)
        finally:
            for _, tasks in waiting:
                for task in tasks:
                    task.cancel()

    def _ahead(self, size: int) -> int:
        """Return how many batches are read ahead: two, or enough for two tasks a thread."""
        return max(2, -(-2 * self.workers * TASK // size)) if self.threads else 0

    def _begun(self, positions: NDArray[np.int64], seeds: Seeds) -> tuple[Staging, list[Future[None]]]:
        count, size = len(positions), self.views.size
        batch: Staging
        if self.mean.device.type == "cuda":
            batch = DeviceStaging(self._copies, count, size * (2 if seeds else 1), size, self.mean, self.std)
        else:
            batch = HostStaging(count, size, self.mean, self.std)
        starts = range(0, len(positions), TASK)
        if self.threads is None:
            for start in starts:
                self._fill(batch, start, positions, seeds)
            return batch, []
        return batch, [self.threads.submit(self._fill, batch, start, positions, seeds) for start in starts]

    @staticmethod
    def _done(waiting: deque[tuple[Staging, list[Future[None]]]]) -> Tensor:
        batch, tasks = waiting[0]
        for task in tasks:
            task.result()
        waiting.popleft()
        return batch.images()

    def _fill(self, batch: Staging, start: int, positions: NDArray[np.int64], seeds: Seeds) -> None:
        """Read :data:`TASK` images of a batch from row ``start``."""
        index = positions[start : start + TASK]
        images = [self.read(self.keys[position]) for position in index]
        if seeds is None:
            for row, pixels in enumerate(images, start):
                batch.put(row, centre(pixels, self.views.resize, self.views.size), False)
            return
        sizes = np.array([pixels.shape[:2] for pixels in images], dtype=np.int64)
        crops = random_crops(sizes, uniform(*seeds, index), self.strength)
        for row, pixels, box, flip in zip(
            range(start, start + len(images)), images, crops.boxes.tolist(), crops.flips.tolist(), strict=True
        ):
            top, left, height, width = box
            batch.put(row, pixels[top : top + height, left : left + width], flip)


class StreamedSplit(Split):
    """Shows rows of a list of image files, which threads decode."""

    views = None
    plain = -1

    def __init__(
        self,
        reader: ImageReader,
        index: NDArray[np.int64],
        labels: NDArray[np.int64],
        *,
        augmented: bool,
    ) -> None:
        super().__init__(index, labels, reader.mean.device)
        self._positions = index
        self._reader, self.augmented = reader, augmented

    def augmented_as(self, data: Data) -> Self:
        """Return the split augmented as :meth:`Split.augmented_as` says."""
        check_strength(self._reader.views, data.augment_strength)
        other = copy.copy(self)
        other._reader = self._reader.of_strength(data.augment_strength)
        other.augmented = data.augment == "standard"
        return other

    @property
    def shown(self) -> list[float]:
        """Numbers that decide, beside the raw image and the seeds, what :meth:`images` returns."""
        views = self._reader.views
        normalised = torch.stack((self._reader.mean, self._reader.std)).flatten().tolist()
        return [views.size, views.resize, self.augmented, self._reader.strength, *normalised]

    @property
    def population(self) -> int:
        """Number of raw images; positions are below it."""
        return len(self._reader.keys)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images of a batch."""
        return self._reader.views.size, self._reader.views.size

    @property
    def normalisation(self) -> tuple[Tensor, Tensor]:
        """Mean and spread of pixels in [0, 1]."""
        return self._reader.mean, self._reader.std

    def images(self, index: NDArray[np.int64], seeds: tuple[int, int]) -> Tensor:
        """Return images [B,3,size,size] at raw positions ``index`` [B], as the epoch of ``seeds`` shows."""
        (images,) = self._reader.batches(index, [len(index)], seeds if self.augmented else None)
        return images

    def show(self, plan: EpochPlan, seeds: Seeds) -> Iterator[Batch]:
        """Yield the batches of ``plan``; augmented by ``seeds``, (seed, epoch), or not if None."""
        rows = as_tensor(plan.rows, self.device)
        index, labels = self.index[rows], self.labels[rows]
        views = as_tensor(plan.views, self.device)
        parts = (torch.split(part, plan.sizes) for part in (index, labels, views))
        positions = self._positions[plan.rows]
        shown = self._reader.batches(positions, plan.sizes, seeds if self.augmented else None)
        for images, index, target, view in zip(shown, *parts, strict=True):
            yield Batch(images, target, index, view)


def streamed_parts(
    raw: RawData, data: Data, parts: SplitIndices, device: torch.device, workers: int | None
) -> tuple[MakeSplit, MakeSplit]:
    """Return the makers of splits of the train and of the test set, from rows."""
    assert isinstance(raw.augmentation, StreamedViews)
    views = raw.augmentation
    count = torch.get_num_threads() if workers is None else workers
    threads = ThreadPoolExecutor(count, thread_name_prefix="images") if count else None
    mean, std = torch.tensor(raw.mean, device=device), torch.tensor(raw.std, device=device)
    read = partial(
        ImageReader, pixel_reader(data), views=views, mean=mean, std=std, threads=threads, workers=count
    )
    train, test = read(raw.train_images), read(raw.test_images)

    def make_train(rows: NDArray[np.int64]) -> StreamedSplit:
        return StreamedSplit(train, rows, parts.train_labels, augmented=True)

    def make_test(rows: NDArray[np.int64]) -> StreamedSplit:
        return StreamedSplit(test, rows, parts.test_labels, augmented=False)

    return make_train, make_test
