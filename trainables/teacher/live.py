"""Runs the teacher on each batch."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor

from trainables.config.trial import Training, TrialConfig
from trainables.data.dataset import DataSet
from trainables.data.epoch_plan import EpochPlan
from trainables.data.split import Batch, Split
from trainables.engine.compilation import attempt, compile_static
from trainables.engine.device import autocast
from trainables.engine.head import HeadOutputs, MultiScaleHead
from trainables.engine.process_cache import ProcessCache
from trainables.storage.run_store import RunStore

Look = Callable[[Tensor], HeadOutputs]
"""Images [B, 3, H, W], channels last -> the teacher's outputs."""


class LiveTeacher:
    """The teacher, run on each batch.

    Args:
        compiled: the same pass, compiled for whole batches; others run eager.
    """

    def __init__(
        self, head: MultiScaleHead, training: Training, device: torch.device, compiled: Look | None = None
    ) -> None:
        self.look = looking(head, training, device)
        self.compiled = compiled
        self.batch_size = training.batch_size
        self.device = device
        self.seconds = 0.0

    def begin(self, split: Split, plan: EpochPlan) -> None:
        """Nothing is known ahead."""

    def __call__(self, batch: Batch) -> HeadOutputs:
        """Outputs for the batch's images; their time is counted on a CPU only, where calls wait for them."""
        began = time.perf_counter()
        images = batch.images.contiguous(memory_format=torch.channels_last)
        look = self.compiled if self.compiled and len(images) == self.batch_size else self.look
        with torch.no_grad():
            outputs = look(images)
        if self.device.type == "cpu":
            self.seconds += time.perf_counter() - began
        return outputs


def looking(head: MultiScaleHead, training: Training, device: torch.device) -> Look:
    """A pass through ``head`` in the precision of ``training``."""

    def look(images: Tensor) -> HeadOutputs:
        with autocast(training, device):
            outputs: HeadOutputs = head(images)
        return outputs

    return look


def compiled_live(
    head: MultiScaleHead,
    config: TrialConfig,
    store: RunStore,
    data: DataSet,
    device: torch.device,
    warm: ProcessCache,
    say: Callable[[str], None],
) -> Look | None:
    """:func:`looking`, compiled for whole batches, from an earlier trial or made; None where that fails."""
    training, teacher = config.training, config.teacher
    assert teacher is not None

    @torch.no_grad()
    def make() -> Look:
        look = compile_static(looking(head, training, device), device, graphs=False, frozen=True)
        images = torch.zeros(training.batch_size, 3, *data.image_size, device=device)
        look(images.contiguous(memory_format=torch.channels_last))
        return look

    fixed = (head.scales, head.features, training.precision, training.batch_size, data.image_size)
    key = (str(store.root), teacher, data.num_classes, *fixed, str(device))
    return warm.get("live teacher", key, lambda: attempt(f"teacher {teacher.name}", make, say), most=4)
