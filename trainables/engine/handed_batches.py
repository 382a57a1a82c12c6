"""Holds the batch that the host hands over for a step, where images are read anew in each epoch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from trainables.data.epoch_plan import EpochPlan
from trainables.data.split import Batch, Split
from trainables.engine.compilation import black
from trainables.engine.step_table import StepTable


class HandedBatches(StepTable):
    """Gives each step the batch that was read for it, in a place that a recorded step reads.

    A batch is copied there on the device, channels last, as networks take it; on a CPU, where nothing is
    recorded, it is passed on as it is.

    Args:
        split: whose images are shown.
        batch_size: images of each step.
        steps: most steps of a plan.
    """

    def __init__(self, split: Split, batch_size: int, steps: int) -> None:
        super().__init__(steps, split.device)
        self.split = split
        self.batch_size = batch_size
        self._batch: Batch | None = None
        if split.device.type != "cpu":
            numbers = (
                torch.zeros(batch_size, dtype=torch.int64, device=split.device)
                for _ in range(len(Batch._fields) - 1)
            )
            self._batch = Batch(black(batch_size, split.image_size, split.device), *numbers)

    def rehearse(self) -> EpochPlan:
        """Show black images in each step until :meth:`steps`; return a plan of one step."""
        self.set_rates([0.0])
        first = np.zeros(self.batch_size, dtype=np.int64)
        return EpochPlan(first, np.full_like(first, self.split.plain), [self.batch_size])

    def steps(
        self, plan: EpochPlan, rates: Sequence[float], seeds: tuple[int, int]
    ) -> Iterator[tuple[int, Tensor | None]]:
        """Yield, once the batch of a step of ``plan`` is in its place, how many images it has, and these."""
        self.set_rates(rates)
        for batch in self.split.show(plan, seeds):
            if self._batch is None or self.split.device.type == "cpu":
                self._batch = batch
            else:
                for place, part in zip(self._batch, batch, strict=True):
                    place.copy_(part)
            yield len(batch.target), batch.images

    def next(self) -> tuple[Batch, Tensor]:
        """Return the batch that was handed over, and its learning rate; count the step."""
        assert self._batch is not None
        return self._batch, self.next_rate()
