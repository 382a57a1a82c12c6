"""Looks teacher outputs up by view, in place of running the teacher."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from trainables.config.training import Training
from trainables.data.epoch_plan import EpochPlan
from trainables.data.split import Split
from trainables.engine.compilation import black, compile_frozen
from trainables.engine.device import autocast
from trainables.models.backbone import StageMaps
from trainables.models.multiscale import region_logits
from trainables.teacher.cache import CHUNK, CacheLayout
from trainables.teacher.remembered import RememberedTeacher

WINDOW = 64 * CHUNK
"""Most images whose outputs are fetched ahead of the steps that use them, in whole batches, at least one."""


class CachedTeacher(RememberedTeacher):
    """Looks the teacher's outputs up for each view, a window of the epoch ahead.

    So a file is read, or the teacher run, once in many steps, in batches that suit it.
    """

    def begin_epoch(self, split: Split, plan: EpochPlan, following: EpochPlan | None = None) -> None:
        """Take the epoch's images and their views, in the order of their use."""
        super().begin_epoch(split, plan, following)
        self._fetched = 0

    def _room(self, plan: EpochPlan) -> int:
        batch = max(plan.sizes, default=1)
        return max(WINDOW // batch, 1) * batch

    def advance(self, images: int, shown: Tensor | None = None) -> None:
        """Have the outputs for the next so many images in the window; begin to read the one after it."""
        if self._taken + images > self._fetched:
            start = self._taken
            self._fetched = min(start + self._length, len(self._slots))
            cells = self.views.cells(self._slots[start : self._fetched])
            self._read_ahead(self._fetched)
            self._fill(cells)
        self._taken += images


def chunk_forward(
    network: nn.Module,
    size: tuple[int, int],
    layout: CacheLayout,
    training: Training,
    device: torch.device,
    *,
    compiled: bool = False,
    graphs: bool = False,
) -> Callable[[Tensor], Tensor]:
    """Return a pass: images [CHUNK, 3, *size] -> kept logits [CHUNK, cells, K] in float16.

    Args:
        compiled: whether it is compiled, and if ``graphs`` a CUDA graph.
    """

    def forward(images: Tensor) -> Tensor:
        with autocast(training, device):
            stages: StageMaps = network.forward_stages(images)  # type: ignore[operator]
        full = stages.final_as(Tensor.float)
        return region_logits(full.final, network.classifier, layout.kept, full.token).half()  # type: ignore[arg-type]

    if not compiled:
        return torch.no_grad()(forward)
    return compile_frozen(forward, black(CHUNK, size, device), graphs=graphs)
