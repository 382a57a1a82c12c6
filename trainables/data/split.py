"""Defines a split, the part of a data set that batches are taken from, and a batch of one."""

from __future__ import annotations

import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterator
from typing import NamedTuple, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.config.data import Data
from trainables.data import epoch_plan as epochs
from trainables.data.raw import CropFlipViews


class Batch(NamedTuple):
    """Holds the images of one step, on the device.

    >>> from trainables.config.data import Data
    >>> from trainables.data import load
    >>> digits = load(Data(name="cluttered_digits", options={"scenes": 100, "test": 100}), "cpu")
    >>> batch = next(digits.train.batches(8, epoch=0))
    >>> batch.images.shape, batch.target.shape
    (torch.Size([8, 3, 32, 32]), torch.Size([8]))

    Attributes:
        images: [B,3,H,W] float32, augmented and normalised.
        target: [B] int64, labels.
        index: [B] int64, position in the raw train (or test) set, whatever the classes, fraction and held-out
            part in use.
        view: [B] int64, id of the augmented view; where views are not counted the epoch, -1 in evaluation.
    """

    images: Tensor
    target: Tensor
    index: Tensor  # type: ignore[assignment]  # hides tuple.index, which nobody misses
    view: Tensor


class Split(ABC):
    """Shows a part of a data set in batches on the device.

    >>> from trainables.config.data import Data
    >>> from trainables.data import load
    >>> digits = load(Data(name="cluttered_digits", options={"scenes": 100, "test": 100}), "cpu")
    >>> len(digits.test), [len(batch.target) for batch in digits.test.batches(64, epoch=None)]
    (100, [64, 36])

    Attributes:
        labels: [n] int64 on the device, in the order of evaluation.
        index: [n] int64 on the device, positions in the raw set.
        views: number of different augmented views of an image; None if they are not counted.
        augmentation: how views are drawn; None where they are not counted, or each is as likely.
    """

    views: int | None
    augmentation: CropFlipViews | None = None
    plain: int
    """View id of the image as it is; -1 where views are not counted."""

    def __init__(self, index: NDArray[np.int64], labels: NDArray[np.int64], device: torch.device) -> None:
        self.device = device
        self.index = as_tensor(index, device)
        self.labels = as_tensor(labels[index], device)

    def __len__(self) -> int:
        return len(self.index)

    def trained(self, batch_size: int, *, parts: int = 1, drop_last: bool = False) -> int:
        """Count the images of a training epoch."""
        return epochs.trained(len(self), batch_size, parts, drop_last)

    def steps(self, batch_size: int, *, parts: int = 1, drop_last: bool = False) -> int:
        """Count the batches of a training epoch."""
        return epochs.steps(len(self), batch_size, parts, drop_last)

    def batches(
        self,
        batch_size: int,
        *,
        epoch: int | None,
        seed: int = 0,
        view: int | None = None,
        parts: int = 1,
        drop_last: bool = False,
        worker: tuple[int, int] = (0, 1),
    ) -> Iterator[Batch]:
        """Yield the batches of one pass over the images.

        Args:
            batch_size: images of a batch, over all workers.
            epoch: number of the training epoch: shuffled and augmented by (seed, epoch) alone, a last batch
                of a single image dropped (batch normalisation cannot take it). None for evaluation: all
                images in order, not augmented.
            seed: of the order and the augmentation.
            view: in evaluation, show each image in this view instead (resident sets only).
            parts: of a batch, that batch normalisation keeps apart; a training epoch's batches divide by it.
            drop_last: of a training epoch, the last batch if it is smaller than the others.
            worker: rank of this worker and number of workers; each gets its own share of each batch.
        """
        if epoch is None:
            if view is not None and not 0 <= view < (self.views or 0):
                raise ValueError(f"view {view} is not one of {self.views}")
            return self.show(self.plan_of_all(batch_size, view=view, worker=worker), None)
        if view is not None:
            raise ValueError("a training epoch draws its views")
        plan = self.plan(batch_size, epoch=epoch, seed=seed, parts=parts, drop_last=drop_last, worker=worker)
        return self.show(plan, (seed, epoch))

    def plan(
        self,
        batch_size: int,
        *,
        epoch: int,
        seed: int = 0,
        parts: int = 1,
        drop_last: bool = False,
        worker: tuple[int, int] = (0, 1),
    ) -> epochs.EpochPlan:
        """Return what :meth:`batches` shows in a training epoch, without the images."""
        return epochs.training(
            len(self),
            batch_size,
            epoch=epoch,
            seed=seed,
            views=self.augmentation or self.views,
            parts=parts,
            drop_last=drop_last,
            worker=worker,
        )

    def plan_of_all(
        self, batch_size: int, *, view: int | None = None, worker: tuple[int, int] = (0, 1)
    ) -> epochs.EpochPlan:
        """Return what :meth:`batches` shows in an evaluation, without the images."""
        return epochs.evaluation(len(self), batch_size, self.plain if view is None else view, worker)

    @property
    def device_key(self) -> Hashable:
        """What work on the device knows of the split, while that lives: its memory, and how it is read.

        Splits that differ only in how the host draws their views have the same.
        """
        return id(self.index)

    @property
    @abstractmethod
    def image_size(self) -> tuple[int, int]:
        """Height and width of the images of a batch."""

    @property
    @abstractmethod
    def normalisation(self) -> tuple[Tensor, Tensor]:
        """Mean and spread [3], on the device, by which the images of a batch are normalised."""

    @abstractmethod
    def augmented_as(self, data: Data) -> Self:
        """Return the same images in the augmentation that ``data`` asks for, in the same memory.

        :class:`trainables.data.raw.DataError` where they cannot be augmented so.
        """

    @abstractmethod
    def show(self, plan: epochs.EpochPlan, seeds: tuple[int, int] | None) -> Iterator[Batch]:
        """Yield the batches of ``plan``; augmented by ``seeds``, or not if None."""


MakeSplit = Callable[[NDArray[np.int64]], Split]
"""Returns the split of the given raw positions, rising."""


def as_tensor(array: NDArray[np.generic], device: torch.device) -> Tensor:
    """Return ``array`` on ``device``; on the CPU without a copy, so it must not be written into."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*not writable", category=UserWarning)
        return torch.from_numpy(array).to(device)
