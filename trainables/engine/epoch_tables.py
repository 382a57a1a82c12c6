"""Holds a plan of whole batches on the device, where each step finds its own part by a counter."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from trainables.data.epoch_plan import EpochPlan
from trainables.data.resident import ResidentSplit
from trainables.data.split import Batch, as_tensor
from trainables.engine.step_table import StepTable


class EpochTables(StepTable):
    """Says which images each step has, in which views, at which learning rate.

    Nothing is copied from the host between the steps, and everything keeps its place in memory.

    Args:
        split: whose images are shown.
        batch_size: images of each step.
        steps: most steps of a plan.

    Example:
        >>> from trainables.config.data import Data
        >>> from trainables.data import load
        >>> data = Data(name="cluttered_digits", options={"scenes": 100, "test": 100})
        >>> split = load(data, "cpu").train
        >>> tables = EpochTables(split, batch_size=8, steps=12)
        >>> plan = split.plan(8, epoch=1)
        >>> tables.begin(plan.cut(12)[0], rates=[0.1] * 12)
        >>> batch, lr = tables.next()
        >>> batch.index.equal(split.index[plan.rows[:8]]), round(lr.item(), 3)
        (True, 0.1)
    """

    def __init__(self, split: ResidentSplit, batch_size: int, steps: int) -> None:
        super().__init__(steps, split.device)
        self.split = split
        self.batch_size = batch_size
        self._rows = torch.zeros(steps * batch_size, dtype=torch.int64, device=split.device)
        self._views = torch.full_like(self._rows, split.plain)
        self._within = torch.arange(batch_size, device=split.device)

    def begin(self, plan: EpochPlan, rates: Sequence[float] = ()) -> None:
        """Take a plan of whole batches, and the learning rate of each step."""
        images = len(plan.rows)
        self._rows[:images] = as_tensor(plan.rows, self._rows.device)
        self._views[:images] = as_tensor(plan.views, self._rows.device)
        self.set_rates(rates)

    def rehearse(self) -> EpochPlan:
        """Show the first image, unaugmented, in each step until :meth:`begin`; return a plan of one step."""
        first = np.zeros(self.batch_size, dtype=np.int64)
        plan = EpochPlan(first, np.full_like(first, self.split.plain), [self.batch_size])
        self.begin(plan, rates=[0.0])
        return plan

    def steps(
        self, plan: EpochPlan, rates: Sequence[float], seeds: tuple[int, int]
    ) -> Iterator[tuple[int, Tensor | None]]:
        """Yield, before each step of ``plan``, how many images it has, and None: the device has them."""
        self.begin(plan, rates)
        for size in plan.sizes:
            yield size, None

    def next(self) -> tuple[Batch, Tensor]:
        """Return the batch of the step that the counter is at, and its learning rate; count it."""
        at = self.step * self.batch_size + self._within
        rows, views = self._rows[at], self._views[at]
        index = self.split.index[rows]
        batch = Batch(self.split.images(index, views), self.split.labels[rows], index, views)
        return batch, self.next_rate()
