"""Looks teacher outputs up by view, in place of running the teacher."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
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
"""Images whose outputs are fetched ahead of the steps that use them."""


class CachedTeacher(RememberedTeacher):
    """Looks the teacher's outputs up for each view, a window of the epoch ahead.

    So a file is read, or the teacher run, once in many steps, in batches that suit it.
    """

    def begin_epoch(self, split: Split, plan: EpochPlan, following: EpochPlan | None = None) -> None:
        """Take the epoch's images and their views, in the order of their use."""
        super().begin_epoch(split, plan, following)
        self._fetched = 0
        self._following = np.empty(0, np.int64) if following is None else self._slots_of(split, following)

    def _room(self, plan: EpochPlan) -> int:
        return max(WINDOW, *plan.sizes, 0)

    def advance(self, images: int, shown: Tensor | None = None) -> None:
        """Have the outputs for the next so many images in the window; begin to read the one after it.

        After the epoch's last window that is the first one of the epoch that follows, which is read while the
        last steps and the evaluation run.
        """
        if self._taken + images > self._fetched:
            start, room = self._taken, len(self._window)
            self._fetched = min(start + room, len(self._slots))
            cells = self.views.cells(self._slots[start : self._fetched])
            ahead = self._slots if self._fetched < len(self._slots) else self._following
            first = self._fetched % len(self._slots)
            self.views.ahead(ahead[first : first + room])
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
