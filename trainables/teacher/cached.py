"""Looks teacher outputs up by view, in place of running the teacher."""

from __future__ import annotations

from collections.abc import Callable, Iterable

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

    So a file is read, or the teacher run, once in many steps, in batches that suit it. The window keeps its
    place on the device, and a counter there says how much of it is used, for a recorded step to read.
    """

    def __init__(
        self, views: TeacherCache, layout: CacheLayout, scales: tuple[int, ...], pooling: Pooling = "map"
    ) -> None:
        self.views = views
        self.layout = layout
        self.scales = scales
        self.pooling: Pooling = pooling
        self._window = torch.empty(0, *views.shape, dtype=torch.float16, device=views.device)
        self._within = torch.arange(0, device=views.device)
        self._used = torch.zeros((), dtype=torch.int64, device=views.device)

    @property
    def seconds(self) -> float:
        """Seconds that looking up and computing took so far."""
        return self.views.watch.seconds

    def begin_epoch(self, split: Split, plan: EpochPlan) -> None:
        """Take the epoch's images and their views, in the order of their use."""
        self._slots = self.views.source.of(split.index.cpu().numpy()[plan.rows], plan.views)
        self._taken = self._fetched = 0
        room = max(WINDOW, *plan.sizes, 0)
        if len(self._window) < room:
            self._window = torch.zeros(room, *self.views.shape, dtype=torch.float16, device=self.views.device)
            self._within = torch.arange(room, device=self.views.device)
        self._used.zero_()

    def advance(self, images: int) -> None:
        """Have the outputs for the next so many images in the window; begin to read the one after it."""
        if self._taken + images > self._fetched:
            start, room = self._taken, len(self._window)
            self._fetched = min(start + room, len(self._slots))
            cells = self.views.cells(self._slots[start : self._fetched])
            self.views.ahead(self._slots[self._fetched : self._fetched + room])
            self._window[: len(cells)] = cells
            self._used.zero_()
        self._taken += images

    def __call__(self, batch: Batch) -> HeadOutputs:
        """Return the outputs for the next images of the epoch."""
        size = len(batch.target)
        cells = self._window[self._within[:size] + self._used]
        self._used.add_(size)
        pooled = self.layout.regions(cells, pooled_scales(self.scales, self.pooling))
        return HeadOutputs(chosen_regions(pooled, self.scales, self.pooling), None)

    def state(self) -> Iterable[Tensor]:
        """Return the counter."""
        return (self._used,)

    def take_over(self, other: CachedTeacher) -> None:
        """Look up what ``other`` does, which wants the same regions; the window stays where it is."""
        self.views = other.views


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
        if compiled and device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        logits = run(images)
        return logits.clone() if compiled else logits  # a CUDA graph writes into the same memory again

    return compute
