"""One optimisation step and one evaluation pass, on a device, in a precision."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.compiled import CompiledStep
from trainables.config import Training
from trainables.criterion import Criterion, MultiScaleHead, Outputs
from trainables.data.dataset import Batch, Split
from trainables.data.epochs import Plan
from trainables.precision import autocast, best_precision

__all__ = ["Engine", "TeacherOutputs", "Totals", "autocast", "best_precision", "evaluate", "learning_rate"]


def learning_rate(training: Training, epochs_done: float) -> float:
    """The learning rate after ``epochs_done`` epochs (fractions within an epoch count).

    Step: lr * lr_decay^(milestones passed). Cosine: lr * (1 + cos(pi * epochs_done / epochs)) / 2. During the
    warm-up either is multiplied by (epochs_done + 1) / (lr_warmup_epochs + 1).
    """
    lr = training.lr
    if training.schedule == "cosine":
        lr *= (1 + math.cos(math.pi * min(epochs_done / training.epochs, 1.0))) / 2
    else:
        lr *= training.lr_decay ** sum(epochs_done >= milestone for milestone in training.milestones)
    return lr * min((epochs_done + 1) / (training.lr_warmup_epochs + 1), 1.0)


class Totals:
    """Sums over an epoch, kept on the device and read once, at its end."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.count = 0

    def add(self, size: int, **values: Tensor) -> None:
        """Add values that are already sums over ``size`` images."""
        self.count += size
        for name, value in values.items():
            value = value.detach().float()
            self.sums[name] = self.sums[name] + value if name in self.sums else value

    def means(self) -> dict[str, float]:
        """Means over all images."""
        names = list(self.sums)
        values = torch.stack([self.sums[name].double() for name in names]).tolist() if names else []
        return {name: value / self.count for name, value in zip(names, values, strict=True)}


class TeacherOutputs(Protocol):
    """Where a trial's teacher outputs come from; see :mod:`trainables.teacher`."""

    @property
    def seconds(self) -> float:
        """Time spent so far."""

    def begin(self, split: Split, plan: Plan) -> None:
        """An epoch begins, with these images in these views."""

    def __call__(self, batch: Batch) -> Outputs:
        """Outputs for the next batch of the epoch."""


class Engine:
    """Trains one student against one teacher.

    Attributes:
        student: the student under a multi-scale head.
        teacher: the source of the teacher's outputs; None for plain training.
        criterion: the loss, and parameters of its own if it has any.
        compiled: the compiled forward pass and loss, of the modules of ``student``; None to run eager.
    """

    def __init__(
        self,
        student: MultiScaleHead,
        teacher: TeacherOutputs | None,
        criterion: Criterion,
        training: Training,
        device: torch.device,
        compiled: CompiledStep | None = None,
    ) -> None:
        self.training = training
        self.device = device
        self.compiled = compiled
        self.student = student
        self.teacher = teacher
        self.criterion = criterion.to(device)
        self.optimizer = torch.optim.SGD(
            [*self.student.parameters(), *self.criterion.parameters()],
            lr=training.lr,
            momentum=training.momentum,
            weight_decay=training.weight_decay,
            nesterov=training.nesterov,
            fused=True,
        )

    def train_epoch(self, split: Split, epoch: int, seed: int) -> dict[str, float]:
        """One epoch, counted from 1; means of the loss and its terms and the training top-1 in percent."""
        self.student.train()
        self.criterion.train()
        totals = Totals()
        batch_size = self.training.batch_size
        if self.teacher is not None:
            self.teacher.begin(split, split.plan(batch_size, epoch=epoch, seed=seed))
        for step, batch in enumerate(split.batches(batch_size, epoch=epoch, seed=seed)):
            lr = learning_rate(self.training, epoch - 1 + step / split.steps(batch_size))
            for group in self.optimizer.param_groups:
                group["lr"] = lr
            terms, logits = self.step(batch, epoch)
            size = len(batch.target)
            losses = {f"train/loss_{name}": value.detach() * size for name, value in terms.items()}
            hits = (logits.argmax(1) == batch.target).sum() * 100.0
            totals.add(
                size, **{"train/loss": torch.stack(list(losses.values())).sum(), **losses, "train/top1": hits}
            )
        return totals.means()

    def step(self, batch: Batch, epoch: int) -> tuple[dict[str, Tensor], Tensor]:
        """Forward, backward and update on one batch; the loss's terms and the student's logits [B, K]."""
        if self.compiled is not None and self.device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        teacher = self.teacher(batch) if self.teacher is not None else None
        images = batch.images.contiguous(memory_format=torch.channels_last)
        if self.compiled is not None and len(images) == self.training.batch_size:
            terms, logits = self.compiled(images, teacher, batch.target, batch.index, self.criterion, epoch)
        else:
            with autocast(self.training, self.device):
                student = self.student(images)
            logits = student.logits
            terms = self.criterion(student, teacher, batch.target, batch.index, epoch)
        loss = torch.stack(list(terms.values())).sum()
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return terms, logits


@torch.no_grad()
def evaluate(
    network: nn.Module, batches: Iterable[Batch], split: str, training: Training, device: torch.device
) -> dict[str, float]:
    """``split/loss`` (cross-entropy), ``split/top1`` and, from six classes on, ``split/top5``, in percent."""
    network.eval()
    totals = Totals()
    for batch in batches:
        with autocast(training, device):
            logits = network(batch.images.contiguous(memory_format=torch.channels_last)).float()
        target = batch.target
        values = {
            "loss": functional.cross_entropy(logits, target, reduction="sum"),
            "top1": (logits.argmax(1) == target).sum() * 100.0,
        }
        if logits.shape[1] > 5:
            values["top5"] = (logits.topk(5, dim=1).indices == target[:, None]).any(1).sum() * 100.0
        totals.add(len(target), **{f"{split}/{name}": value for name, value in values.items()})
    return totals.means()
