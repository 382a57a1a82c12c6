"""Numbers the images that a teacher is shown: each number stands for one image in one view.

Where views are counted there are as many numbers as images times views, and every trial uses some of them.
Where they are not, an image is known by (seed, epoch, place): all trials of a search share the seed, so that
what the first one's teacher said of an epoch is what all the others' would say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.data.resident import ResidentSplit
from trainables.teacher.row_table import Slots

if TYPE_CHECKING:  # it imports torchvision, which takes seconds
    from trainables.data.streamed import StreamedSplit


class ViewSlots(Protocol):
    """Gives the views of a data set their slots, and shows them."""

    @property
    def count(self) -> int:
        """Number of slots."""

    @property
    def shown(self) -> list[Any]:
        """Numbers that decide, beside the raw image, what :meth:`images` returns for a slot."""

    def of(self, index: NDArray[np.int64], view: NDArray[np.int64]) -> Slots:
        """Return the slots [n] of the images at raw positions [n] in views [n], as a plan has them."""

    def images(self, slots: Tensor) -> Tensor:
        """Return the images [n,3,H,W] of ``slots`` [n], on the device."""


class CountedSlots:
    """Numbers the views of a resident set: position * views + view."""

    def __init__(self, split: ResidentSplit) -> None:
        self._split = split

    @property
    def count(self) -> int:
        """Number of slots."""
        return self._split.population * self._split.views

    @property
    def shown(self) -> list[Any]:
        """Padding, flip, mean and so on."""
        return list(self._split.shown)

    def of(self, index: NDArray[np.int64], view: NDArray[np.int64]) -> Slots:
        """Return slots as :class:`ViewSlots` says."""
        return index * self._split.views + view

    def images(self, slots: Tensor) -> Tensor:
        """Return images as :class:`ViewSlots` says; the device does all of it."""
        views = self._split.views
        return self._split.images(slots.div(views, rounding_mode="floor"), slots % views)


class EpochSlots:
    """Numbers the images of a streamed set in each epoch of trials of one seed: epoch * images + position.

    Epochs are counted from 1; 0 stands for images that are not augmented, the same in each epoch.
    """

    def __init__(self, split: StreamedSplit, seed: int, epochs: int) -> None:
        self._split, self._seed, self._epochs = split, seed, epochs

    @property
    def count(self) -> int:
        """Number of slots."""
        return (self._epochs + 1) * self._split.population

    @property
    def shown(self) -> list[Any]:
        """Seed, sizes, mean and so on."""
        return ["epochs", self._seed, *self._split.shown]

    def of(self, index: NDArray[np.int64], view: NDArray[np.int64]) -> Slots:
        """Return slots as :class:`ViewSlots` says."""
        return index + (view * self._split.population if self._split.augmented else 0)

    def images(self, slots: Tensor) -> Tensor:
        """Return images as :class:`ViewSlots` says; they are read from their files, epoch by epoch."""
        epochs, index = np.divmod(slots.cpu().numpy(), self._split.population)
        order = np.argsort(epochs, kind="stable")
        parts = [
            self._split.images(index[order][epochs[order] == epoch], (self._seed, int(epoch)))
            for epoch in np.unique(epochs)
        ]
        return torch.cat(parts)[torch.from_numpy(np.argsort(order)).to(slots.device)]
