"""Runs the teacher on each batch."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from trainables.config.trial import Training
from trainables.data.epoch_plan import EpochPlan
from trainables.data.split import Batch, Split
from trainables.engine.compilation import compile_static, try_compile
from trainables.engine.device import autocast
from trainables.engine.head import HeadOutputs, MultiScaleHead
from trainables.engine.runtime import Runtime, TrialInputs

TeacherForward = Callable[[Tensor], HeadOutputs]
"""Images [B, 3, H, W], channels last -> the teacher's outputs."""


class LiveTeacher:
    """Runs the teacher on each batch.

    Args:
        compiled: the same pass, compiled for whole batches; others run eager.
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
        self.seconds = 0.0

    def begin_epoch(self, split: Split, plan: EpochPlan) -> None:
        """Do nothing: images are seen when their batch comes."""

    def __call__(self, batch: Batch) -> HeadOutputs:
        """Return the batch's outputs; their time is counted on a CPU only, where calls wait for them."""
        began = time.perf_counter()
        images = batch.images.contiguous(memory_format=torch.channels_last)
        forward = self.compiled if self.compiled and len(images) == self.batch_size else self.eager
        with torch.no_grad():
            outputs = forward(images)
        if self.device.type == "cpu":
            self.seconds += time.perf_counter() - began
        return outputs


def forward_pass(head: MultiScaleHead, training: Training, device: torch.device) -> TeacherForward:
    """Return a pass through ``head`` in the precision of ``training``."""

    def forward(images: Tensor) -> HeadOutputs:
        with autocast(training, device):
            outputs: HeadOutputs = head(images)
        return outputs

    return forward


def compiled_forward(head: MultiScaleHead, inputs: TrialInputs, runtime: Runtime) -> TeacherForward | None:
    """Return :func:`forward_pass`, compiled for whole batches for an earlier trial or now.

    None where it cannot be compiled.
    """
    data, training, teacher = inputs.data, inputs.config.training, inputs.config.teacher
    assert teacher is not None
    device = runtime.device

    @torch.no_grad()
    def make() -> TeacherForward:
        compiled = compile_static(forward_pass(head, training, device), device, graphs=False, frozen=True)
        images = torch.zeros(training.batch_size, 3, *data.image_size, device=device)
        compiled(images.contiguous(memory_format=torch.channels_last))
        return compiled

    def attempt() -> TeacherForward | None:
        return try_compile(f"teacher {teacher.name}", make, runtime.log)

    form = (data.image_size, inputs.config.large_images)
    fixed = (head.scales, head.pooling, head.features, training.precision, training.batch_size, *form)
    key = (str(inputs.store.root), teacher, data.num_classes, *fixed, str(device))
    return runtime.process_cache.get("live teacher", key, attempt, capacity=4)
