"""Holds a plan of whole batches on the device, where each step finds its own part by a counter."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from trainables.data.epoch_plan import EpochPlan
from trainables.data.resident import ResidentSplit
from trainables.data.split import Batch, as_tensor


class EpochTables:
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
        device = split.device
        self.split = split
        self.batch_size = batch_size
        self.rows = torch.zeros(steps * batch_size, dtype=torch.int64, device=device)
        self.views = torch.full_like(self.rows, split.plain)
        kind = torch.float32 if device.type == "cuda" else torch.float64  # as fused kernels read a rate
        self.rates = torch.zeros(steps, dtype=kind, device=device)
        self.step = torch.zeros((), dtype=torch.int64, device=device)
        self._within = torch.arange(batch_size, device=device)

    def begin(self, plan: EpochPlan, rates: Sequence[float] = ()) -> None:
        """Take a plan of whole batches, and the learning rate of each step."""
        images = len(plan.rows)
        self.rows[:images] = as_tensor(plan.rows, self.rows.device)
        self.views[:images] = as_tensor(plan.views, self.rows.device)
        self.rates[: len(rates)] = torch.tensor(rates, dtype=self.rates.dtype)
        self.step.zero_()

    def next(self) -> tuple[Batch, Tensor]:
        """Return the batch of the step that the counter is at, and its learning rate; count it."""
        at = self.step * self.batch_size + self._within
        rows, views = self.rows[at], self.views[at]
        index = self.split.index[rows]
        rate = self.rates.index_select(0, self.step.view(1)).view(())
        self.step.add_(1)
        return Batch(self.split.images(index, views), self.split.labels[rows], index, views), rate
