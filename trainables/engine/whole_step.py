"""Trains whole batches by a step that needs nothing of the host: on a GPU one CUDA graph.

Batch, augmentation, mixing, the teacher's regions, forward and backward pass, loss, update, sums for the
report and the counter of steps are one piece of work. On a CPU it is called, on a GPU recorded and replayed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from trainables.data.epoch_plan import EpochPlan
from trainables.data.resident import ResidentSplit
from trainables.data.split import Split
from trainables.engine.epoch_tables import EpochTables
from trainables.engine.handed_batches import HandedBatches
from trainables.engine.mixture_tables import MixtureTables
from trainables.engine.recorded import Repeated
from trainables.engine.runtime import Runtime
from trainables.engine.step import Step

MOST_TERMS = 8
"""Room for the loss, its terms and the accuracy."""


class WholeStep:
    """Trains on the whole batches of a split's epochs.

    Images that lie on the device are found there by the step itself; those that are read from files are
    handed over before it, and that is all the host does.

    Attributes:
        work: one step.
    """

    def __init__(self, step: Step, split: Split) -> None:
        self.step = step
        self.split = split
        size = step.training.batch_size
        shape = size, max(1, len(split) // size)
        self.batches = (
            EpochTables(split, *shape) if isinstance(split, ResidentSplit) else HandedBatches(split, *shape)
        )
        self.mixtures = MixtureTables(split, *shape) if step.training.mixes else None
        self.sums = torch.zeros(MOST_TERMS, dtype=torch.float32, device=split.device)
        self.names: list[str] = []
        self.work = Repeated(self._step)

    def turn_to(self, split: Split) -> None:
        """Show ``split`` from now on, whose :attr:`Split.device_key` is the one that this is made for."""
        self.split = split
        if isinstance(self.batches, HandedBatches):
            self.batches.split = split

    def _step(self) -> None:
        batch, lr = self.batches.next()
        labels = None
        if self.mixtures is not None:
            batch, labels = self.mixtures.mix(batch)
        terms, logits = self.step(batch, lr, labels=labels)
        values = epoch_values(terms, logits, batch.target)
        self.names = list(values)
        self.sums[: len(values)] += torch.stack([value.float() for value in values.values()])
        self.step.optimizer.zero_grad()

    def run(self, plan: EpochPlan, rates: Sequence[float], seeds: tuple[int, int]) -> dict[str, Tensor]:
        """Train on ``plan``, whole batches all of them, at ``rates``; return sums over the images.

        Args:
            seeds: (seed, epoch) of what is drawn for each step.
        """
        if self.mixtures is not None:
            self.mixtures.begin(self.step.training, len(plan.sizes), seeds)
        self.sums.zero_()
        for size, shown in self.batches.steps(plan, rates, seeds):
            if self.step.teacher is not None:
                self.step.teacher.advance(size, shown)
            self.work()
        return dict(zip(self.names, self.sums.clone(), strict=False))

    def record(self, what: str, runtime: Runtime) -> None:
        """Record a step as a CUDA graph, for this trial and all that :meth:`Step.take_over` it.

        The steps it is tried out with leave no traces. A refusal is logged, as one of ``what``.
        """
        plan = self.batches.rehearse()
        if self.step.teacher is not None:
            self.step.teacher.begin_epoch(self.split, plan)
        self.work.record(f"the step of {what}", self._state(), runtime)
        self.step.optimizer.reset()

    def _state(self) -> Iterator[Tensor]:
        yield from self.step.state()
        yield from (self.sums, self.batches.step)
        if self.mixtures is not None:
            yield from self.mixtures.state()


def epoch_values(terms: dict[str, Tensor], logits: Tensor, target: Tensor) -> dict[str, Tensor]:
    """Return what an epoch's report adds up of a batch: loss and its terms by image, hits in percent."""
    size = len(target)
    losses = {f"train/loss_{name}": value * size for name, value in terms.items()}
    hits = (logits.argmax(1) == target).sum() * 100.0
    return {"train/loss": torch.stack(list(losses.values())).sum(), **losses, "train/top1": hits}
