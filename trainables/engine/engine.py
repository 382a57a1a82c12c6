"""Trains a student against a teacher, epoch after epoch, on a device, in a precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

from torch import Tensor

from trainables.config.training import Training
from trainables.data.epoch_plan import EpochPlan
from trainables.data.mixing import MixedLabels, drawn_mixture, drawn_partners, mixed
from trainables.data.split import Batch, Split, as_tensor
from trainables.engine.compiled_step import CompiledStep
from trainables.engine.criterion import Criterion
from trainables.engine.evaluation import MetricTotals
from trainables.engine.head import MultiScaleHead
from trainables.engine.optimizer import Optimizer
from trainables.engine.runtime import Runtime
from trainables.engine.schedule import learning_rate
from trainables.engine.step import SecondView, Step, TeacherOutputs
from trainables.engine.weight_average import WeightAverage
from trainables.engine.whole_step import WholeStep, epoch_values


class Engine:
    """Trains one student against one teacher.

    Whole batches go through :class:`WholeStep`, which asks nothing of the host but images that it reads; a
    last smaller batch and shares of a group's batches come one by one.

    Attributes:
        runtime: its device, and the processes that share each batch.
        whole: the step of whole batches, once there was one.

    Example:
        >>> import torch
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
        second: SecondView | None = None,
    ) -> None:
        self.runtime = runtime
        self._step = Step(student, teacher, criterion, training, runtime, compiled, second)
        self.whole: WholeStep | None = None

    @property
    def training(self) -> Training:
        """Settings of optimisation."""
        return self._step.training

    @property
    def student(self) -> MultiScaleHead:
        """The student under a multi-scale head."""
        return self._step.student

    @property
    def teacher(self) -> TeacherOutputs | None:
        """The source of the teacher's outputs; None for plain training."""
        return self._step.teacher

    @teacher.setter
    def teacher(self, teacher: TeacherOutputs | None) -> None:
        self._step.teacher = teacher

    @property
    def criterion(self) -> Criterion:
        """The loss, and parameters of its own if it has any."""
        return self._step.criterion

    @property
    def compiled(self) -> CompiledStep | None:
        """The compiled forward pass and loss, of the modules of the student; None where it runs eager."""
        return self._step.compiled

    @property
    def optimizer(self) -> Optimizer:
        """The optimiser of the student's and the loss's parameters."""
        return self._step.optimizer

    @property
    def average(self) -> WeightAverage | None:
        """The moving average of the student's weights, where the training has one."""
        return self._step.average

    def train_epoch(self, split: Split, epoch: int, seed: int) -> dict[str, float]:
        """Train one epoch, counted from 1; return means of the loss and its terms, and top-1 in percent."""
        training, group = self.training, self.runtime.group
        parts = training.batch_norm_parts
        planned: Any = {"parts": parts, "drop_last": training.drop_last, "worker": group.share}
        plan = split.plan(training.batch_size, epoch=epoch, seed=seed, **planned)
        following = None
        if self.teacher is not None and epoch < training.epochs:
            following = split.plan(training.batch_size, epoch=epoch + 1, seed=seed, **planned)
        metrics = self.train(split, plan, epoch, seed, following)
        if parts > 1:
            group.average_buffers(self._step.eager)
            if self.average is not None:
                self.average.share(group)
        return metrics

    def train(
        self, split: Split, plan: EpochPlan, epoch: int, seed: int, following: EpochPlan | None = None
    ) -> dict[str, float]:
        """Train on the batches of ``plan``, an epoch's or its first ones; return what an epoch does.

        Args:
            following: the plan of the epoch after it, whose remembered outputs are looked for meanwhile.
        """
        self.student.train()
        self.criterion.train()
        if self.teacher is not None:
            self.teacher.begin_epoch(split, plan, following)
        rates = self._rates(split, epoch)
        totals = MetricTotals()
        done = plan.whole(self.training.batch_size) if self.runtime.group.size == 1 else 0
        if done:
            whole, plan = plan.cut(done)
            self._step.begin_epoch(epoch, seed)
            totals.add(len(whole.rows), **self._whole(split).run(whole, rates[:done], (seed, epoch)))
        size = self.training.batch_size
        images = split.trained(size, parts=self.training.batch_norm_parts, drop_last=self.training.drop_last)
        for step, batch in enumerate(split.show(plan, (seed, epoch)), start=done):
            self.optimizer.lr = rates[step]
            labels, mixture = None, drawn_mixture(self.training, seed, epoch, step)
            if mixture is not None:
                rank, count = self.runtime.group.rank, len(batch.target)
                partners = drawn_partners(count, seed=seed, epoch=epoch, step=step, rank=rank)
                numbers = mixture.numbers(split.image_size)
                batch, labels = mixed(batch, *(as_tensor(part, split.device) for part in (partners, numbers)))
            terms, logits = self.step(batch, epoch, min(size, images - step * size), labels, seed)
            totals.add(len(batch.target), **epoch_values(terms, logits, batch.target))
        self.optimizer.lr = rates[done + len(plan.sizes) - 1]
        return totals.means(self.runtime.group)

    def _rates(self, split: Split, epoch: int) -> list[float]:
        """Return the learning rate of each step of ``epoch``."""
        training = self.training
        kept: Any = {"parts": training.batch_norm_parts, "drop_last": training.drop_last}
        steps = split.steps(training.batch_size, **kept)
        return [learning_rate(training, epoch - 1 + step / steps) for step in range(steps)]

    def _whole(self, split: Split) -> WholeStep:
        if self.whole is None or self.whole.split.device_key != split.device_key:
            self.whole = WholeStep(self._step, split)
        self.whole.turn_to(split)
        return self.whole

    def step(
        self,
        batch: Batch,
        epoch: int,
        total: int | None = None,
        labels: MixedLabels | None = None,
        seed: int = 0,
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Run forward, backward and update on one batch, or on this process's share of ``total`` images.

        ``labels`` are the second ones of mixed images, ``seed`` is that of strong views. Returns the terms of
        the loss and the student's logits [B, K], both of the share.
        """
        if self.teacher is not None:
            self.teacher.advance(len(batch.target), batch.images)
        self._step.begin_epoch(epoch, seed)
        return self._step(batch, total=total, labels=labels)

    def record(self, split: Split, what: str) -> Engine:
        """Record the step of whole batches of ``split`` as a CUDA graph, where that is possible.

        Args:
            what: whose step it is, for the log; what was refused once is not tried again.
        """
        self.student.train()
        self.criterion.train()
        self._whole(split).record(what, self.runtime)
        return self

    def take_over(self, other: Engine) -> Engine:
        """Go on for the trial of ``other``, with what is recorded here; return this engine."""
        self.runtime = other.runtime
        self._step.take_over(other._step)
        return self

    def measured_weights(self) -> AbstractContextManager[None]:
        """Return a context in which the student has the weights to measure and file: those of the average."""
        return nullcontext() if self.average is None else self.average.applied()
