"""Trains a student against a teacher, one optimisation step after the other, on a device, in a precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from trainables.config.training import Training
from trainables.data.epoch_plan import EpochPlan
from trainables.data.mixing import MixedLabels, drawn_mixture, mixed
from trainables.data.split import Batch, Split
from trainables.distributed.batch_norm import batch_statistics
from trainables.engine.compilation import CompiledStep
from trainables.engine.criterion import Criterion
from trainables.engine.device import autocast
from trainables.engine.evaluation import MetricTotals
from trainables.engine.head import HeadOutputs, MultiScaleHead
from trainables.engine.optimizer import make_optimizer
from trainables.engine.runtime import Runtime
from trainables.engine.schedule import learning_rate
from trainables.engine.weight_average import WeightAverage


class TeacherOutputs(Protocol):
    """Gives a trial its teacher's outputs, computed or looked up; see :mod:`trainables.teacher`."""

    @property
    def seconds(self) -> float:
        """Seconds spent on outputs so far."""

    def begin_epoch(self, split: Split, plan: EpochPlan) -> None:
        """Learn which images the epoch that begins has, and in which views, to look ahead."""

    def __call__(self, batch: Batch) -> HeadOutputs:
        """Return the outputs for the next batch of the epoch."""


class ForwardAndLoss(nn.Module):
    """Runs forward pass and loss of one batch, or of this process's share of it, uncompiled."""

    def __init__(
        self, student: MultiScaleHead, criterion: Criterion, training: Training, runtime: Runtime
    ) -> None:
        super().__init__()
        self.student = student
        self.criterion = criterion
        self.settings = training
        self.runtime = runtime

    def forward(
        self,
        images: Tensor,
        teacher: HeadOutputs | None,
        target: Tensor,
        index: Tensor,
        epoch: int,
        mixed: MixedLabels | None = None,
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return the terms of the loss and the student's logits [B, K]."""
        with batch_statistics(self.settings.batch_norm_parts, self.runtime.group):
            with autocast(self.settings, self.runtime.device):
                student = self.student(images)
            return self.criterion(student, teacher, target, index, epoch, mixed), student.logits


class Engine:
    """Trains one student against one teacher.

    Attributes:
        student: the student under a multi-scale head.
        teacher: the source of the teacher's outputs; None for plain training.
        criterion: the loss, and parameters of its own if it has any.
        runtime: its device, and the processes that share each batch.
        compiled: the compiled forward pass and loss, of the modules of ``student``; None to run eager.
        eager: the same, uncompiled.
        average: the moving average of the student's weights, where the training has one.

    Example:
        >>> from trainables.config.method import Method
        >>> from trainables.models import build
        >>> student = MultiScaleHead(build("resnet8", 10))
        >>> engine = Engine(student, None, Criterion(Method()), Training(), Runtime(torch.device("cpu")))
        >>> label = torch.tensor([3, 7])
        >>> terms, logits = engine.step(Batch(torch.zeros(2, 3, 32, 32), label, label, label), epoch=1)
        >>> list(terms), tuple(logits.shape)
        (['ce'], (2, 10))
    """

    def __init__(
        self,
        student: MultiScaleHead,
        teacher: TeacherOutputs | None,
        criterion: Criterion,
        training: Training,
        runtime: Runtime,
        compiled: CompiledStep | None = None,
    ) -> None:
        self.training = training
        self.runtime = runtime
        self.compiled = compiled
        self.student = student
        self.teacher = teacher
        self.criterion = criterion.to(runtime.device)
        self.eager = runtime.group.data_parallel(ForwardAndLoss(student, self.criterion, training, runtime))
        self.optimizer = make_optimizer([*self.student.parameters(), *self.criterion.parameters()], training)
        decay = training.ema_decay
        self.average = None if decay is None else WeightAverage(student.network, decay)

    def train_epoch(self, split: Split, epoch: int, seed: int) -> dict[str, float]:
        """Train one epoch, counted from 1; return means of the loss and its terms, and top-1 in percent."""
        self.student.train()
        self.criterion.train()
        totals, group = MetricTotals(), self.runtime.group
        batch_size, parts = self.training.batch_size, self.training.batch_norm_parts
        kept: Any = {"parts": parts, "drop_last": self.training.drop_last}
        order: Any = {"epoch": epoch, "seed": seed, **kept, "worker": group.share}
        images, steps = split.trained(batch_size, **kept), split.steps(batch_size, **kept)
        if self.teacher is not None:
            self.teacher.begin_epoch(split, split.plan(batch_size, **order))
        for step, batch in enumerate(split.batches(batch_size, **order)):
            self.optimizer.lr = learning_rate(self.training, epoch - 1 + step / steps)
            labels, mixture = None, drawn_mixture(self.training, seed, epoch, step)
            if mixture is not None:
                batch, labels = mixed(batch, mixture, seed=seed, epoch=epoch, step=step, rank=group.rank)
            terms, logits = self.step(batch, epoch, min(batch_size, images - step * batch_size), labels)
            size = len(batch.target)
            losses = {f"train/loss_{name}": value.detach() * size for name, value in terms.items()}
            hits = (logits.argmax(1) == batch.target).sum() * 100.0
            totals.add(
                size, **{"train/loss": torch.stack(list(losses.values())).sum(), **losses, "train/top1": hits}
            )
        if parts > 1:
            group.average_buffers(self.eager)
            if self.average is not None:
                self.average.share(group)
        return totals.means(group)

    def step(
        self, batch: Batch, epoch: int, total: int | None = None, labels: MixedLabels | None = None
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Run forward, backward and update on one batch, or on this process's share of ``total`` images.

        ``labels`` are the second ones of mixed images. Returns the terms of the loss and the student's logits
        [B, K], both of the share.
        """
        if self.compiled is not None and self.runtime.device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        teacher = self.teacher(batch) if self.teacher is not None else None
        images = batch.images.contiguous(memory_format=torch.channels_last)
        if self.compiled is not None and len(images) == self.training.batch_size:
            given = (images, teacher, batch.target, batch.index)
            terms, logits = self.compiled(*given, self.criterion, epoch, labels)
        else:
            terms, logits = self.eager(images, teacher, batch.target, batch.index, epoch, labels)
        loss = torch.stack(list(terms.values())).sum()
        self.optimizer.zero_grad()
        scaled = self.runtime.group.scale_loss(loss, len(images), total or len(images))
        scaled.backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()
        if self.average is not None:
            self.average.update()
        return terms, logits

    def measured_weights(self) -> AbstractContextManager[None]:
        """Return a context in which the student has the weights to measure and file: those of the average."""
        return nullcontext() if self.average is None else self.average.applied()
