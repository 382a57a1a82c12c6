"""One optimisation step and one evaluation pass, on a device, in a precision."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.batch_statistics import batch_statistics
from trainables.compiled import CompiledStep
from trainables.config import Training
from trainables.criterion import Criterion, MultiScaleHead, Outputs
from trainables.data.dataset import Batch, Split
from trainables.data.epochs import Plan
from trainables.group import ALONE, Group
from trainables.precision import autocast, best_precision
from trainables.sgd import SGD

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

    def means(self, group: Group = ALONE) -> dict[str, float]:
        """Means over all images of the group."""
        names = list(self.sums)
        values = torch.stack([self.sums[name].double() for name in names]).tolist() if names else []
        shares = group.gather((self.count, dict(zip(names, values, strict=True))))
        count = sum(images for images, _ in shares)
        names = list(dict.fromkeys(name for _, sums in shares for name in sums))
        return {name: sum(sums.get(name, 0.0) for _, sums in shares) / count for name in names}


class TeacherOutputs(Protocol):
    """Where a trial's teacher outputs come from; see :mod:`trainables.teacher`."""

    @property
    def seconds(self) -> float:
        """Time spent so far."""

    def begin(self, split: Split, plan: Plan) -> None:
        """An epoch begins, with these images in these views."""

    def __call__(self, batch: Batch) -> Outputs:
        """Outputs for the next batch of the epoch."""


class ForwardAndLoss(nn.Module):
    """Forward pass and loss of one batch, or of this process's share of it, uncompiled."""

    def __init__(
        self,
        student: MultiScaleHead,
        criterion: Criterion,
        training: Training,
        device: torch.device,
        group: Group,
    ) -> None:
        super().__init__()
        self.student = student
        self.criterion = criterion
        self.settings = training
        self.device = device
        self.group = group

    def forward(
        self, images: Tensor, teacher: Outputs | None, target: Tensor, index: Tensor, epoch: int
    ) -> tuple[dict[str, Tensor], Tensor]:
        """The terms of the loss and the student's logits [B, K]."""
        with batch_statistics(self.settings.batch_norm_parts, self.group):
            with autocast(self.settings, self.device):
                student = self.student(images)
            return self.criterion(student, teacher, target, index, epoch), student.logits


class Engine:
    """Trains one student against one teacher.

    Attributes:
        student: the student under a multi-scale head.
        teacher: the source of the teacher's outputs; None for plain training.
        criterion: the loss, and parameters of its own if it has any.
        compiled: the compiled forward pass and loss, of the modules of ``student``; None to run eager.
        group: the processes that share each batch.
    """

    def __init__(
        self,
        student: MultiScaleHead,
        teacher: TeacherOutputs | None,
        criterion: Criterion,
        training: Training,
        device: torch.device,
        compiled: CompiledStep | None = None,
        group: Group = ALONE,
    ) -> None:
        self.training = training
        self.device = device
        self.compiled = compiled
        self.student = student
        self.teacher = teacher
        self.criterion = criterion.to(device)
        self.group = group
        self.uncompiled = self.group.averaging(
            ForwardAndLoss(student, self.criterion, training, device, self.group)
        )
        self.optimizer = SGD([*self.student.parameters(), *self.criterion.parameters()], training)

    def train_epoch(self, split: Split, epoch: int, seed: int) -> dict[str, float]:
        """One epoch, counted from 1; means of the loss and its terms and the training top-1 in percent."""
        self.student.train()
        self.criterion.train()
        totals = Totals()
        batch_size, parts = self.training.batch_size, self.training.batch_norm_parts
        order: Any = {"epoch": epoch, "seed": seed, "parts": parts, "worker": self.group.share}
        images, steps = split.trained(batch_size, parts=parts), split.steps(batch_size, parts=parts)
        if self.teacher is not None:
            self.teacher.begin(split, split.plan(batch_size, **order))
        for step, batch in enumerate(split.batches(batch_size, **order)):
            self.optimizer.lr = learning_rate(self.training, epoch - 1 + step / steps)
            terms, logits = self.step(batch, epoch, min(batch_size, images - step * batch_size))
            size = len(batch.target)
            losses = {f"train/loss_{name}": value.detach() * size for name, value in terms.items()}
            hits = (logits.argmax(1) == batch.target).sum() * 100.0
            totals.add(
                size, **{"train/loss": torch.stack(list(losses.values())).sum(), **losses, "train/top1": hits}
            )
        if parts > 1:
            self.group.mean_buffers(self.uncompiled)
        return totals.means(self.group)

    def step(self, batch: Batch, epoch: int, whole: int | None = None) -> tuple[dict[str, Tensor], Tensor]:
        """Forward, backward and update on one batch, or on this process's share of a ``whole`` one.

        Returns the terms of the loss and the student's logits [B, K], both of the share.
        """
        if self.compiled is not None and self.device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        teacher = self.teacher(batch) if self.teacher is not None else None
        images = batch.images.contiguous(memory_format=torch.channels_last)
        if self.compiled is not None and len(images) == self.training.batch_size:
            terms, logits = self.compiled(images, teacher, batch.target, batch.index, self.criterion, epoch)
        else:
            terms, logits = self.uncompiled(images, teacher, batch.target, batch.index, epoch)
        loss = torch.stack(list(terms.values())).sum()
        self.optimizer.zero_grad()
        self.group.portion(loss, len(images), whole or len(images)).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        return terms, logits


@torch.no_grad()
def evaluate(
    network: nn.Module,
    batches: Iterable[Batch],
    split: str,
    training: Training,
    device: torch.device,
    group: Group = ALONE,
) -> dict[str, float]:
    """Means over all images of the group, of which these are a share.

    ``split/loss`` (cross-entropy), ``split/top1`` and, from six classes on, ``split/top5``, in percent."""
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
    return totals.means(group)
