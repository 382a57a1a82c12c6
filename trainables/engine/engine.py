"""One optimisation step and one evaluation pass, on a device, in a precision."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor, nn

from trainables.config.trial import Training
from trainables.data.epoch_plan import EpochPlan
from trainables.data.split import Batch, Split
from trainables.distributed.batch_norm import batch_statistics
from trainables.distributed.process_group import ALONE, ProcessGroup
from trainables.engine.compilation import CompiledStep
from trainables.engine.criterion import Criterion
from trainables.engine.device import autocast, best_precision
from trainables.engine.evaluation import MetricTotals
from trainables.engine.head import HeadOutputs, MultiScaleHead
from trainables.engine.optimizer import SGD, learning_rate

__all__ = ["Engine", "MetricTotals", "TeacherOutputs", "autocast", "best_precision", "learning_rate"]


class TeacherOutputs(Protocol):
    """Where a trial's teacher outputs come from; see :mod:`trainables.teacher`."""

    @property
    def seconds(self) -> float:
        """Time spent so far."""

    def begin(self, split: Split, plan: EpochPlan) -> None:
        """An epoch begins, with these images in these views."""

    def __call__(self, batch: Batch) -> HeadOutputs:
        """Outputs for the next batch of the epoch."""


class ForwardAndLoss(nn.Module):
    """Forward pass and loss of one batch, or of this process's share of it, uncompiled."""

    def __init__(
        self,
        student: MultiScaleHead,
        criterion: Criterion,
        training: Training,
        device: torch.device,
        group: ProcessGroup,
    ) -> None:
        super().__init__()
        self.student = student
        self.criterion = criterion
        self.settings = training
        self.device = device
        self.group = group

    def forward(
        self, images: Tensor, teacher: HeadOutputs | None, target: Tensor, index: Tensor, epoch: int
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
        group: ProcessGroup = ALONE,
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
        totals = MetricTotals()
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
