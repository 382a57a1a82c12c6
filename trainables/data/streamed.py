"""Reads splits from image files anew in each epoch, by worker processes.

The augmentation of an image depends on (seed, epoch, index) alone, whatever the number of workers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms
from torchvision.transforms import functional

from trainables.config.data import Data
from trainables.data.augment import normalise_planes
from trainables.data.epoch_plan import EpochPlan
from trainables.data.images import ReadImage, image_reader
from trainables.data.partition import SplitIndices
from trainables.data.raw import DataError, RawData, StreamedViews
from trainables.data.split import Batch, MakeSplit, Split, as_tensor

Item = tuple[int, tuple[int, int] | None]
"""Raw position of an image, and the (seed, epoch) of its augmentation or None for evaluation."""

Transform = Callable[[Image.Image], Image.Image]

MOST_WORKERS = 8

LEAST_AREA = 0.08
"""Smallest share of an image that a crop of standard augmentation shows (Szegedy et al., 2015)."""


class ImageFiles(Dataset[Tensor]):
    """Decodes images [3,size,size] uint8, by :data:`Item`; this is what worker processes hold."""

    def __init__(
        self, read: ReadImage, keys: NDArray[Any], streaming: StreamedViews, strength: float = 1.0
    ) -> None:
        self.read, self.keys = read, keys
        self.evaluation, self.training = evaluation(streaming), training(streaming, strength)

    def __len__(self) -> int:
        return len(self.keys)

    def __getitem__(self, item: Item) -> Tensor:
        index, seeds = item
        image = self.read(self.keys[index])
        if seeds is None:
            return _pixels(self.evaluation(image))
        state = torch.get_rng_state()
        try:
            words = np.random.SeedSequence((*seeds, index)).generate_state(1, np.uint64)
            torch.default_generator.manual_seed(int(words[0]))
            return _pixels(self.training(image))
        finally:
            torch.set_rng_state(state)


def evaluation(streaming: StreamedViews) -> Transform:
    """Return the resize and centre crop that the papers evaluate with."""
    compose: Transform = transforms.Compose([_resize(streaming), transforms.CenterCrop(streaming.size)])
    return compose


def training(streaming: StreamedViews, strength: float = 1.0) -> Transform:
    """Return the random crop and flip of training; it draws from torch's global generator.

    Args:
        strength: below 1, crops are cut from that share of the margin, or are of 1 - 0.92 * strength of the
            image or more and so much nearer to its aspect, and as many fewer are flipped.
    """
    size, flip = streaming.size, transforms.RandomHorizontalFlip(strength / 2)
    if streaming.squash:
        within = size + round(strength * (streaming.resize - size))
        crop = [_resize(streaming), transforms.CenterCrop(within), transforms.RandomCrop(size)]
    else:
        least, stretch = 1 - strength * (1 - LEAST_AREA), (4 / 3) ** strength
        area = (LEAST_AREA if strength == 1 else least, 1.0)
        crop = [transforms.RandomResizedCrop(size, scale=area, ratio=(1 / stretch, stretch))]
    compose: Transform = transforms.Compose([*crop, flip])
    return compose


def _pixels(image: Image.Image) -> Tensor:
    pixels: Tensor = functional.pil_to_tensor(image)
    return pixels


def _resize(streaming: StreamedViews) -> Any:
    side = streaming.resize
    return transforms.Resize((side, side) if streaming.squash else side)


class StreamedSplit(Split):
    """Shows rows of a list of image files, which worker processes decode."""

    views = None
    plain = -1

    def __init__(
        self,
        files: ImageFiles,
        index: NDArray[np.int64],
        labels: NDArray[np.int64],
        mean: Tensor,
        std: Tensor,
        *,
        augmented: bool,
        workers: int,
    ) -> None:
        super().__init__(index, labels, mean.device)
        self._files, self._mean, self._std = files, mean, std
        self._augmented, self._workers = augmented, workers

    def _show(self, plan: EpochPlan, seeds: tuple[int, int] | None) -> Iterator[Batch]:
        rows = as_tensor(plan.rows, self.device)
        index, labels = self.index[rows], self.labels[rows]
        items = [(position, seeds if self._augmented else None) for position in index.tolist()]
        parts = (torch.split(part, plan.sizes) for part in (index, labels, torch.full_like(index, -1)))
        for images, index, target, view in zip(self._read(items, plan.sizes), *parts, strict=True):
            images = images.to(self.device, non_blocking=True)
            yield Batch(normalise_planes(images, self._mean, self._std), target, index, view)

    def _read(self, items: list[Item], sizes: Sequence[int]) -> Iterator[Tensor]:
        """Yield batches [B,3,H,W] uint8 on the CPU; an unreadable file is a one-line :class:`DataError`."""
        ends = np.cumsum(sizes).tolist()
        loader: DataLoader[Tensor] = DataLoader(
            self._files,
            batch_sampler=[items[end - size : end] for size, end in zip(sizes, ends, strict=True)],
            num_workers=self._workers,
            pin_memory=self.device.type == "cuda",
            generator=torch.Generator(),
        )
        try:
            yield from loader
        except DataError as error:
            lines = [line for line in str(error).splitlines() if "root: " in line]
            raise DataError(lines[-1][lines[-1].index("root: ") :]) from None


def streamed_parts(
    raw: RawData, data: Data, parts: SplitIndices, device: torch.device, workers: int | None
) -> tuple[MakeSplit, MakeSplit]:
    """Return the makers of splits of the train and of the test set, from rows."""
    assert isinstance(raw.augmentation, StreamedViews)
    read, streaming = image_reader(data), raw.augmentation
    count = min(torch.get_num_threads(), MOST_WORKERS) if workers is None else workers
    mean, std = torch.tensor(raw.mean, device=device), torch.tensor(raw.std, device=device)
    train = ImageFiles(read, raw.train_images, streaming, data.augment_strength)
    test = ImageFiles(read, raw.test_images, streaming)
    augmented = data.augment == "standard"

    def make_train(rows: NDArray[np.int64]) -> StreamedSplit:
        return StreamedSplit(train, rows, parts.train_labels, mean, std, augmented=augmented, workers=count)

    def make_test(rows: NDArray[np.int64]) -> StreamedSplit:
        return StreamedSplit(test, rows, parts.test_labels, mean, std, augmented=False, workers=count)

    return make_train, make_test
