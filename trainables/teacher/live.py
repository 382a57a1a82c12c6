"""Runs the teacher on each batch, where its outputs cannot be cached."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from trainables.config.training import Training
from trainables.data.epoch_plan import EpochPlan
from trainables.data.split import Batch, Split
from trainables.engine.compilation import black, compile_frozen, try_compile_graphs
from trainables.engine.compile_artifacts import kept_artifacts
from trainables.engine.device import autocast
from trainables.engine.head import HeadOutputs, MultiScaleHead
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.engine.stopwatch import Stopwatch

TeacherForward = Callable[[Tensor], HeadOutputs]
"""Images [B, 3, H, W], channels last -> the teacher's outputs."""


class LiveTeacher:
    """Runs the teacher on each batch.

    Args:
        compiled: the same pass, compiled for whole batches; others run eager.

    Example:
        >>> from trainables.models import build
        >>> teacher = LiveTeacher(MultiScaleHead(build("resnet8", 10)), Training(), torch.device("cpu"))
        >>> label = torch.tensor([3, 7])
        >>> teacher(Batch(torch.zeros(2, 3, 32, 32), label, label, label)).logits.shape
        torch.Size([2, 10])
        >>> teacher.seconds > 0
        True
    """

    def __init__(
        self,
        head: MultiScaleHead,
        training: Training,
        device: torch.device,
        compiled: TeacherForward | None = None,
    ) -> None:
        self.eager = forward_pass(head, training, device)
        self.compiled = compiled
        self.batch_size = training.batch_size
        self.device = device
        self.watch = Stopwatch(device)

    @property
    def seconds(self) -> float:
        """Seconds that the device spent on the teacher so far."""
        return self.watch.seconds

    def begin_epoch(self, split: Split, plan: EpochPlan, following: EpochPlan | None = None) -> None:
        """Do nothing: images are seen when their batch comes."""

    def advance(self, images: int, shown: Tensor | None = None) -> None:
        """Do nothing: there is nothing to fetch."""

    def state(self) -> Iterable[Tensor]:
        """Return nothing: a call changes no tensor."""
        return ()

    def take_over(self, other: LiveTeacher) -> None:
        """Do nothing: a recorded step runs the network that it was recorded with, which is the same."""

    def __call__(self, batch: Batch) -> HeadOutputs:
        """Return the outputs for the batch's images."""
        images = batch.images.contiguous(memory_format=torch.channels_last)
        forward = self.compiled if self.compiled and len(images) == self.batch_size else self.eager
        with self.watch, torch.no_grad():
            return forward(images)


def forward_pass(head: MultiScaleHead, training: Training, device: torch.device) -> TeacherForward:
    """Return a pass through ``head`` in the precision of ``training``."""

    def forward(images: Tensor) -> HeadOutputs:
        with autocast(training, device):
            outputs: HeadOutputs = head(images)
        return outputs

    return forward


def compiled_forward(
    head: MultiScaleHead, inputs: TrialInputs, runtime: Runtime, *, graphs: bool = False
) -> TeacherForward | None:
    """Return :func:`forward_pass`, compiled for whole batches for an earlier trial or now.

    None where it cannot be compiled.

    Args:
        graphs: whether it becomes a CUDA graph of its own; if that is refused, its kernels are launched.
    """
    data, training, teacher = inputs.data, inputs.config.training, inputs.config.teacher
    assert teacher is not None
    device = runtime.device

    form = (data.image_size, inputs.config.large_images)
    fixed = (head.scales, head.pooling, head.features, training.precision, training.batch_size, *form)

    def make(graphs: bool) -> TeacherForward:
        images = black(training.batch_size, data.image_size, device)
        about = (teacher, data.num_classes, *fixed, graphs)
        with kept_artifacts(f"live teacher {about}", inputs.store, runtime):
            return compile_frozen(forward_pass(head, training, device), images, graphs=graphs)

    def attempt() -> TeacherForward | None:
        return try_compile_graphs(f"teacher {teacher.name}", make, runtime.log, graphs=graphs)

    key = (str(inputs.store.root), teacher, data.num_classes, *fixed, str(device), graphs)
    return runtime.process_cache.get("live teacher", key, attempt, capacity=4)
