"""Makes one optimisation step on a batch: teacher, forward pass, loss, backward pass, update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from trainables.config.training import Training
from trainables.data.epoch_plan import EpochPlan
from trainables.data.mixing import MixedLabels
from trainables.data.split import Batch, Split
from trainables.data.strong_view import StrongViews
from trainables.distributed.batch_norm import batch_statistics
from trainables.engine.compiled_step import CompiledStep
from trainables.engine.criterion import Criterion
from trainables.engine.device import autocast
from trainables.engine.head import HeadOutputs, MultiScaleHead
from trainables.engine.optimizers import make_optimizer
from trainables.engine.runtime import Runtime
from trainables.engine.weight_average import WeightAverage


class TeacherOutputs(Protocol):
    """Gives a trial its teacher's outputs, computed or looked up; see :mod:`trainables.teacher`.

    In an epoch :meth:`advance` is called before each batch, from the host; the call with the batch itself may
    be recorded as part of a CUDA graph and then happens on the device alone.
    """

    @property
    def seconds(self) -> float:
        """Seconds spent on outputs so far."""

    def begin_epoch(self, split: Split, plan: EpochPlan, following: EpochPlan | None = None) -> None:
        """Learn which images the epoch that begins has, and in which views, to look ahead.

        Args:
            following: the plan of the epoch after it, where there is one.
        """

    def advance(self, images: int, shown: Tensor | None = None) -> None:
        """Have the outputs for the next so many images of the epoch ready on the device.

        Args:
            shown: those images, where they are at hand.
        """

    def __call__(self, batch: Batch) -> HeadOutputs:
        """Return the outputs for the next batch of the epoch."""

    def state(self) -> Iterable[Tensor]:
        """Return the tensors that a call changes."""

    def take_over(self, other: Any) -> None:
        """Go on for the trial that ``other`` was opened for, in the memory that a recorded step reads."""


class SecondView(NamedTuple):
    """Carries what shows a step's images again, and the teacher that looks at what is shown.

    Attributes:
        views: the strong views of a batch.
        teacher: computes what it says of them; their number is too large to remember it.
    """

    views: StrongViews
    teacher: Callable[[Batch], HeadOutputs]


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
        weights: dict[str, Tensor],
        mixed: MixedLabels | None = None,
        strong: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return the terms of the loss and the student's logits [B, K]; ``strong`` has the strong views."""
        with batch_statistics(self.settings.batch_norm_parts, self.runtime.group):
            with autocast(self.settings, self.runtime.device):
                student = self.student(images, strong)
            return self.criterion.terms(student, teacher, target, index, weights, mixed), student.logits


class Step:
    """Makes optimisation steps of one student against one teacher.

    Numbers that differ between epochs and trials are scalars on the device, and whatever a step changes keeps
    its place in memory, so that a step can be recorded as a CUDA graph.

    Attributes:
        student: the student under a multi-scale head.
        teacher: the source of the teacher's outputs; None for plain training.
        criterion: the loss, and parameters of its own if it has any.
        second: the second view, where the loss is of two.
        optimizer: of the parameters of both.
        average: the moving average of the student's weights, where the training has one.
        weights: of the loss's terms in the current epoch.
        compiled: forward pass and loss of whole batches, compiled; None to run eager.
        eager: the same, uncompiled.
    """

    def __init__(
        self,
        student: MultiScaleHead,
        teacher: TeacherOutputs | None,
        criterion: Criterion,
        training: Training,
        runtime: Runtime,
        compiled: CompiledStep | None,
        second: SecondView | None = None,
    ) -> None:
        self.training = training
        self.runtime = runtime
        self.student = student
        self.teacher = teacher
        self.criterion = criterion.to(runtime.device)
        self.compiled = compiled
        self.second = second
        self.optimizer = make_optimizer([*student.parameters(), *self.criterion.parameters()], training)
        self.eager: nn.Module = ForwardAndLoss(student, self.criterion, training, runtime)
        if self.optimizer.passes == 1:
            self.eager = runtime.group.data_parallel(self.eager)
        decay = training.ema_decay
        self.average = None if decay is None else WeightAverage(student.network, decay)
        self.weights = {name: torch.zeros((), device=runtime.device) for name in criterion.weights(1)}
        self._epoch = 0, 0

    def begin_epoch(self, epoch: int, seed: int) -> None:
        """Weigh the loss's terms as in ``epoch``, counted from 1; draw strong views from it and ``seed``."""
        if (epoch, seed) == self._epoch:
            return
        self._epoch = epoch, seed
        if self.second is not None:
            self.second.views.begin_epoch(seed, epoch)
        for name, value in self.criterion.weights(epoch).items():
            self.weights[name].fill_(value)

    def __call__(
        self,
        batch: Batch,
        lr: Tensor | None = None,
        total: int | None = None,
        labels: MixedLabels | None = None,
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Run forward, backward and update on ``batch``, or on this process's share of ``total`` images.

        Args:
            lr: learning rate as a scalar on the device; that of the optimiser if None.
            labels: the second ones of mixed images.

        Returns:
            The terms of the loss and the student's logits [B, K], both of the share.
        """
        teacher = self.teacher(batch) if self.teacher is not None else None
        images = batch.images.contiguous(memory_format=torch.channels_last)
        strong = None
        if self.second is not None and teacher is not None:
            shown = self.second.views(batch)
            teacher = teacher._replace(strong=self.second.teacher(shown).regions)
            strong = shown.images.contiguous(memory_format=torch.channels_last)
        whole = len(images) == self.training.batch_size
        forward = self.compiled if self.compiled is not None and whole else self.eager
        terms, logits = forward(images, teacher, batch.target, batch.index, self.weights, labels, strong)
        group, share = self.runtime.group, {"local": len(images), "total": total or len(images)}
        self.optimizer.zero_grad()
        self.optimizer.backward(terms, lambda loss: group.scale_loss(loss, **share))
        if self.optimizer.passes > 1:
            group.average(self.optimizer.gradients())
        self.optimizer.step(lr)
        if self.average is not None:
            self.average.update()
        return {name: value.detach() for name, value in terms.items()}, logits.detach()

    def state(self) -> Iterator[Tensor]:
        """Yield the tensors that a step changes, beside the optimiser's own."""
        for module in (self.student, self.criterion):
            yield from module.parameters()
            yield from module.buffers()
        if self.average is not None:
            yield from self.average.state()
        if self.teacher is not None:
            yield from self.teacher.state()

    def take_over(self, other: Step) -> None:
        """Go on for the trial that ``other`` was built for, in the memory that a recorded step reads."""
        if self.student is not other.student:
            self.student.load_state_dict(other.student.state_dict())
        self.criterion.load_state_dict(other.criterion.state_dict())
        self.criterion.method, self.criterion.base = other.criterion.method, other.criterion.base
        self.training, self._epoch = other.training, (0, 0)
        self.criterion.label_smoothing = other.criterion.label_smoothing
        self.optimizer.reset()
        if self.average is not None:
            self.average.reset()
        if self.teacher is not None and other.teacher is not None:
            self.teacher.take_over(other.teacher)
