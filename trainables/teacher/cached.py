"""Looks teacher outputs up by view, in place of running the teacher."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainables.config.method import Pooling
from trainables.config.training import Training
from trainables.data.epoch_plan import EpochPlan
from trainables.data.split import Batch, Split
from trainables.engine.compilation import compile_frozen
from trainables.engine.device import autocast
from trainables.engine.head import HeadOutputs, chosen_regions, pooled_scales
from trainables.models.backbone import StageMaps
from trainables.models.multiscale import region_logits
from trainables.teacher.cache import CHUNK, CacheLayout, TeacherCache

WINDOW = 64 * CHUNK
"""Images whose outputs are fetched ahead of the steps that use them."""


class CachedTeacher:
    """Looks the teacher's outputs up for each view, a window of the epoch ahead.

    So a file is read, or the teacher run, once in many steps, in batches that suit it.
    """

    def __init__(
        self, views: TeacherCache, layout: CacheLayout, scales: tuple[int, ...], pooling: Pooling = "map"
    ) -> None:
        self.views = views
        self.layout = layout
        self.scales = scales
        self.pooling: Pooling = pooling

    @property
    def seconds(self) -> float:
        """Seconds that looking up and computing took so far."""
        return self.views.watch.seconds

    def begin_epoch(self, split: Split, plan: EpochPlan) -> None:
        """Take the epoch's images and their views, in the order of their use."""
        self._slots = self.views.source.of(split.index.cpu().numpy()[plan.rows], plan.views)
        self._at = self._start = self._end = 0

    def __call__(self, batch: Batch) -> HeadOutputs:
        """Return the outputs for the next images of the epoch."""
        size = len(batch.target)
        if self._at + size > self._end:
            self._start, self._end = self._at, min(self._at + max(WINDOW, size), len(self._slots))
            self._cells = self.views.cells(self._slots[self._start : self._end])
            self.views.ahead(self._slots[self._end : self._end + WINDOW])
        cells = self._cells[self._at - self._start :][:size]
        self._at += size
        pooled = self.layout.regions(cells, pooled_scales(self.scales, self.pooling))
        return HeadOutputs(chosen_regions(pooled, self.scales, self.pooling), None)


def chunk_forward(
    network: nn.Module,
    size: tuple[int, int],
    layout: CacheLayout,
    training: Training,
    device: torch.device,
    *,
    compiled: bool = False,
) -> Callable[[Tensor], Tensor]:
    """Return a pass: images [CHUNK, 3, *size] -> kept logits [CHUNK, cells, K] in float16."""

    def forward(images: Tensor) -> Tensor:
        with autocast(training, device):
            stages: StageMaps = network.forward_stages(images)  # type: ignore[operator]
        full = stages.final_as(Tensor.float)
        return region_logits(full.final, network.classifier, layout.kept, full.token).half()  # type: ignore[arg-type]

    run: Callable[[Tensor], Tensor] = forward
    if compiled:
        images = torch.zeros(CHUNK, 3, *size, device=device).contiguous(memory_format=torch.channels_last)
        run = compile_frozen(forward, images, graphs=True)

    @torch.no_grad()
    def compute(images: Tensor) -> Tensor:
        logits = run(images)
        return logits.clone() if compiled else logits  # a CUDA graph writes into the same memory again

    return compute
