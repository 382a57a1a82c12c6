"""Looks teacher outputs up, in place of running the teacher."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from trainables.config.method import Pooling
from trainables.data.epoch_plan import EpochPlan
from trainables.data.split import Batch, Split
from trainables.engine.head import HeadOutputs, chosen_regions, pooled_scales
from trainables.teacher.cache import CacheLayout, TeacherCache
from trainables.teacher.row_table import Slots


class RememberedTeacher(ABC):
    """Gives each batch the outputs that :meth:`advance` has put into a window on the device.

    The window keeps its place, and a counter there says how much of it is used, for a recorded step to read.
    """

    def __init__(
        self, views: TeacherCache, layout: CacheLayout, scales: tuple[int, ...], pooling: Pooling = "map"
    ) -> None:
        self.views = views
        self.layout = layout
        self.scales = scales
        self.pooling: Pooling = pooling
        self._window = torch.empty(0, *views.shape, dtype=torch.float16, device=views.device)
        self._within = torch.arange(0, device=views.device)
        self._used = torch.zeros((), dtype=torch.int64, device=views.device)

    @property
    def seconds(self) -> float:
        """Seconds that looking up and computing took so far."""
        return self.views.watch.seconds

    def begin_epoch(self, split: Split, plan: EpochPlan, following: EpochPlan | None = None) -> None:
        """Take the epoch's images and their views, in the order of their use."""
        self._slots = self._slots_of(split, plan)
        self._following = np.empty(0, np.int64) if following is None else self._slots_of(split, following)
        self._taken = 0
        self._length = self._room(plan)
        if len(self._window) < self._length:
            shape = self._length, *self.views.shape
            self._window = torch.zeros(shape, dtype=torch.float16, device=self.views.device)
            self._within = torch.arange(self._length, device=self.views.device)
        self._used.zero_()

    def _slots_of(self, split: Split, plan: EpochPlan) -> Slots:
        return self.views.source.of(split.index.cpu().numpy()[plan.rows], plan.views)

    @abstractmethod
    def _room(self, plan: EpochPlan) -> int:
        """Return for how many images the window has to be."""

    @abstractmethod
    def advance(self, images: int, shown: Tensor | None = None) -> None:
        """Have the outputs for the next so many images in the window."""

    def _read_ahead(self, start: int) -> None:
        """Begin to read what is kept of the window from ``start`` on.

        After the epoch's last one it is the first of the epoch that follows, which is read while the last
        steps and the evaluation run.
        """
        slots = self._slots[start:] if start < len(self._slots) else self._following
        self.views.ahead(slots[: self._length])

    def _fill(self, cells: Tensor) -> None:
        """Put ``cells`` [n, cells, K] into the window, to be used from the first on."""
        self._window[: len(cells)] = cells
        self._used.zero_()

    def __call__(self, batch: Batch) -> HeadOutputs:
        """Return the outputs for the next images of the epoch."""
        size = len(batch.target)
        cells = self._window[self._within[:size] + self._used]
        self._used.add_(size)
        pooled = self.layout.regions(cells, pooled_scales(self.scales, self.pooling))
        return HeadOutputs(chosen_regions(pooled, self.scales, self.pooling), None)

    def state(self) -> Iterable[Tensor]:
        """Return the counter."""
        return (self._used,)

    def take_over(self, other: RememberedTeacher) -> None:
        """Look up what ``other`` does, which wants the same regions; the window stays where it is."""
        self.views = other.views
