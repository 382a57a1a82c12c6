"""Keeps splits' images on the device as uint8 and augments them there, a batch at a time."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Iterator
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.config.data import Data
from trainables.data.augment import apply_view
from trainables.data.epoch_plan import EpochPlan
from trainables.data.partition import SplitIndices
from trainables.data.raw import CropFlipViews, RawData, check_strength
from trainables.data.split import Batch, MakeSplit, Split, as_tensor

ONE_VIEW = CropFlipViews(padding=0, flip=False)
"""The image as it is."""


class ResidentSplit(Split):
    """Shows rows of a store of images, [N,H,W,3] uint8 on the device, that splits share.

    So do the data sets of trials that augment them otherwise.

    >>> from trainables.data import load
    >>> digits = load(Data(name="cluttered_digits", options={"scenes": 100, "test": 100}), "cpu")
    >>> index = digits.test.index[:2]
    >>> digits.test.images(index, torch.full((2,), digits.test.plain)).shape
    torch.Size([2, 3, 32, 32])

    Attributes:
        shown: numbers that decide, beside the raw image and the view, what :meth:`images` returns.
    """

    views: int
    augmentation: CropFlipViews
    shown: list[float]

    def __init__(
        self,
        store: Tensor,
        index: NDArray[np.int64],
        labels: NDArray[np.int64],
        views: CropFlipViews,
        mean: Tensor,
        std: Tensor,
    ) -> None:
        super().__init__(index, labels, store.device)
        self._whole, self._usual = store, views
        self._mean, self._std = mean.to(store.device), std.to(store.device)
        self._normalised = [*mean.tolist(), *std.tolist()]
        self._show(store, views)

    def _show(self, store: Tensor, views: CropFlipViews) -> None:
        self._store, self.augmentation = store, views
        self.views, self.plain = views.count, views.plain
        self.shown = [views.padding, views.flip, views.cut, *self._normalised]

    def augmented_as(self, data: Data) -> Self:
        """Return the split augmented as :meth:`Split.augmented_as` says."""
        check_strength(self._usual, data.augment_strength)
        other = copy.copy(self)
        if data.augment == "standard":
            other._show(self._whole, self._usual.at_strength(data.augment_strength))
        else:
            other._show(self._usual.centred(self._whole), ONE_VIEW)
        return other

    @property
    def device_key(self) -> Hashable:
        """What work on the device knows of the split: its memory, and the numbers by which it makes views."""
        return id(self.index), *self.shown

    @property
    def population(self) -> int:
        """Number of raw images; positions are below it."""
        return len(self._store)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images of a batch."""
        height, width = self._store.shape[1:3]
        return self.augmentation.shown_size(height, width)

    @property
    def normalisation(self) -> tuple[Tensor, Tensor]:
        """Mean and spread of pixels in [0, 1]."""
        return self._mean, self._std

    def images(self, index: Tensor, view: Tensor) -> Tensor:
        """Return images [B,3,H,W] at raw positions ``index`` [B] in ``view`` [B], as batches show them."""
        return apply_view(self._store[index], view, self.augmentation, self._mean, self._std)

    def show(self, plan: EpochPlan, seeds: tuple[int, int] | None) -> Iterator[Batch]:
        """Yield the batches of ``plan``; augmented by ``seeds``, (seed, epoch), or not if None."""
        rows = as_tensor(plan.rows, self.device)
        index, labels = self.index[rows], self.labels[rows]
        views = as_tensor(plan.views, self.device)
        parts = (torch.split(part, plan.sizes) for part in (index, labels, views))
        for index, target, view in zip(*parts, strict=True):
            yield Batch(self.images(index, view), target, index, view)


def resident_parts(raw: RawData, parts: SplitIndices, device: torch.device) -> tuple[MakeSplit, MakeSplit]:
    """Return the makers of splits of the train and of the test set, from rows."""
    assert isinstance(raw.augmentation, CropFlipViews)
    usual = raw.augmentation
    mean, std = torch.tensor(raw.mean), torch.tensor(raw.std)
    train = as_tensor(raw.train_images, device)
    test = as_tensor(usual.centred(raw.test_images), device)

    def make_train(rows: NDArray[np.int64]) -> ResidentSplit:
        return ResidentSplit(train, rows, parts.train_labels, usual, mean, std)

    def make_test(rows: NDArray[np.int64]) -> ResidentSplit:
        return ResidentSplit(test, rows, parts.test_labels, ONE_VIEW, mean, std)

    return make_train, make_test
