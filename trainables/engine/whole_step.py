"""Trains whole batches by a step that needs nothing of the host: on a GPU one CUDA graph.

Batch, augmentation, the teacher's regions, forward and backward pass, loss, update, sums for the report and
the counter of steps are one piece of work. On a CPU it is called, on a GPU recorded and replayed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from trainables.data.epoch_plan import EpochPlan
from trainables.data.resident import ResidentSplit
from trainables.engine.epoch_tables import EpochTables
from trainables.engine.recorded import Repeated
from trainables.engine.runtime import Runtime
from trainables.engine.step import Step

MOST_TERMS = 8
"""Room for the loss, its terms and the accuracy."""


class WholeStep:
    """Trains on the whole batches of a resident split's epochs.

    Attributes:
        work: one step.
    """

    def __init__(self, step: Step, split: ResidentSplit) -> None:
        self.step = step
        self.split = split
        size = step.training.batch_size
        self.tables = EpochTables(split, size, max(1, len(split) // size))
        self.sums = torch.zeros(MOST_TERMS, dtype=torch.float32, device=split.device)
        self.names: list[str] = []
        self.work = Repeated(self._step)

    def _step(self) -> None:
        batch, lr = self.tables.next()
        terms, logits = self.step(batch, lr)
        values = epoch_values(terms, logits, batch.target)
        self.names = list(values)
        self.sums[: len(values)] += torch.stack([value.float() for value in values.values()])
        self.step.optimizer.zero_grad()

    def run(self, plan: EpochPlan, rates: Sequence[float]) -> dict[str, Tensor]:
        """Train on ``plan``, whole batches all of them, at ``rates``; return sums over the images."""
        self.tables.begin(plan, rates)
        self.sums.zero_()
        for size in plan.sizes:
            if self.step.teacher is not None:
                self.step.teacher.advance(size)
            self.work()
        return dict(zip(self.names, self.sums.clone(), strict=False))

    def record(self, what: str, runtime: Runtime) -> None:
        """Record a step as a CUDA graph, for this trial and all that :meth:`Step.take_over` it.

        The steps it is tried out with train on the first image; nothing of them stays. A refusal is logged,
        as one of ``what``.
        """
        size = self.tables.batch_size
        first = np.zeros(size, dtype=np.int64)
        plan = EpochPlan(first, np.full_like(first, self.split.plain), [size])
        self.tables.begin(plan, rates=[0.0])
        if self.step.teacher is not None:
            self.step.teacher.begin_epoch(self.split, plan)
        self.work.record(f"the step of {what}", self._state(), runtime)
        self.step.optimizer.reset()

    def _state(self) -> Iterator[Tensor]:
        yield from self.step.state()
        yield from (self.sums, self.tables.step)


def epoch_values(terms: dict[str, Tensor], logits: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Return what an epoch's report adds up of a batch: loss and its terms by image, hits in percent."""
    size = len(target)
    losses = {f"train/loss_{name}": value * size for name, value in terms.items()}
    hits = (logits.argmax(1) == target).sum() * 100.0
    return {"train/loss": torch.stack(list(losses.values())).sum(), **losses, "train/top1": hits}
