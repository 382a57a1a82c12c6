"""Keeps teacher outputs for each augmented view of each image.

A teacher is frozen, and its images come in finitely many views, or in those of a search's seed, so what it
says of a view is computed once and kept, for all trials of a node and for later studies. Each view has a slot
(:mod:`trainables.teacher.view_slots`). The outputs are *defined* as what is kept: region logits in float16,
of a pass over a whole chunk of :data:`CHUNK` images, in which one image's outputs do not depend on the images
beside it. So a trial's numbers are the same to the last bit whether its views were cached long ago, are
computed now, or are kept nowhere for want of room.

Against the teacher run live on each batch, a kept logit is off by at most 2^-11 of itself (2^-25 where it is
below 2^-14), and one averaged from cells by at most 2^-11 of the largest cell, beside the rounding of sums.

Shape legend: n or B images, R regions, K classes; cells are the regions that are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from trainables.config.scales import region_count
from trainables.data.copy_stream import CopyStream
from trainables.engine.stopwatch import Stopwatch
from trainables.models.multiscale import regions_from_cells
from trainables.teacher.cache_files import CacheBackend
from trainables.teacher.cache_memory import ViewMemory
from trainables.teacher.read_ahead import ReadAhead
from trainables.teacher.row_table import Slots
from trainables.teacher.view_slots import ViewSlots

CHUNK = 64
"""Images of every pass of the teacher; the last one is filled up, and the surplus thrown away."""

GRID = 4
"""The grid that is kept wherever it gives all scales asked for: {1}, {1,2}, {1,4}, {1,2,4} share one file."""


@dataclass(frozen=True, slots=True)
class CacheLayout:
    """Says which regions are kept of a view.

    Attributes:
        kept: the scales whose regions are kept. If it is one, coarser ones are averages of its cells.

    Example:
        >>> CacheLayout.of((1, 2), map_size=(8, 8), commutes=True).kept  # a grid of 4 gives both
        (4,)
        >>> CacheLayout.of((1, 2), map_size=(7, 7), commutes=True).kept
        (1, 2)
    """

    kept: tuple[int, ...]

    @classmethod
    def of(cls, scales: tuple[int, ...], map_size: tuple[int, int], commutes: bool) -> CacheLayout:
        """Return what to keep for ``scales`` of a last map of ``map_size`` (h, w).

        One grid does where it divides the map, the scales divide it, and averaging ``commutes`` with the
        classifier: :data:`GRID`, so that trials of different scales share it, else the finest scale.
        Otherwise the regions of each scale are kept.
        """
        for grid in (GRID, max(scales)):
            divides = all(size % grid == 0 for size in map_size)
            if commutes and divides and all(grid % scale == 0 for scale in scales):
                return cls((grid,))
        return cls(tuple(sorted(scales)))

    @property
    def cells(self) -> int:
        """Number of regions kept of a view."""
        return region_count(self.kept)

    def regions(self, cells: Tensor, scales: tuple[int, ...]) -> Tensor:
        """Turn kept outputs [B, cells, K] into logits [B, R, K] of ``scales`` in float32."""
        cells = cells.float()
        if len(self.kept) == 1:
            (grid,) = self.kept
            needed = scales if grid in scales else (*scales, grid)
            return regions_from_cells(cells, needed)[:, : region_count(scales)]
        grids = torch.split(cells, [scale * scale for scale in self.kept], dim=1)
        parts = dict(zip(self.kept, grids, strict=True))
        return torch.cat([parts[scale] for scale in scales], dim=1)


class Verification(NamedTuple):
    """Carries what came of computing cached views again.

    Attributes:
        checked, different: number of views, and of those with any other number than before.
        largest: largest difference of two logits.
        magnitude: largest logit.
    """

    checked: int
    different: int
    largest: float
    magnitude: float


class TeacherCache:
    """Gives the outputs of one teacher for all views of one data set.

    Args:
        forward: what the teacher says of images [CHUNK, 3, H, W]: logits [CHUNK, cells, K] in float16, on
            the device.
        source: the slots of views, and the images of slots.
        shape: (cells, K).
        backends: where entries are looked for and kept, the nearest first.

    Attributes:
        watch: its device's time spent here so far, looking up and computing.
        computed: number of views computed so far.

    Example:
        >>> from trainables.teacher.cache_memory import ViewMemory
        >>> from trainables.teacher.device_share import DeviceShare
        >>> from trainables.config.data import Data
        >>> from trainables.data import load
        >>> from trainables.teacher.view_slots import CountedSlots
        >>> def forward(images):
        ...     return torch.ones(len(images), 1, 10).half()
        >>> device = torch.device("cpu")
        >>> digits = load(Data(name="cluttered_digits", options={"scenes": 100, "test": 100}), device)
        >>> source = CountedSlots(digits.all)
        >>> share = DeviceShare(limit=1 << 20, free=lambda: 1 << 30)
        >>> memory = ViewMemory(source.count, (1, 10), device, share)
        >>> cache = TeacherCache(forward, source, (1, 10), device, [memory])
        >>> for slots in ([0, 3], [3, 5]):
        ...     cells = cache.cells(np.array(slots))
        >>> cells.shape, cache.computed
        (torch.Size([2, 1, 10]), 3)
    """

    def __init__(
        self,
        forward: Callable[[Tensor], Tensor],
        source: ViewSlots,
        shape: tuple[int, int],
        device: torch.device,
        backends: Sequence[CacheBackend] = (),
    ) -> None:
        self.forward = forward
        self.source = source
        self.shape = shape
        self.device = device
        self.backends = backends
        self.watch = Stopwatch(device)
        self.computed = 0
        self._copies = CopyStream(device)

    def cells(self, slots: Slots, images: Tensor | None = None) -> Tensor:
        """Return outputs [n, cells, K] in float16 of ``slots`` [n]; what is missing is computed and kept.

        Args:
            images: those of ``slots``, where they are at hand.
        """
        with self.watch:
            return self._cells(slots, images)

    def ahead(self, slots: Slots) -> None:
        """Begin to read what is kept of ``slots``, which are asked for next."""
        for depth, backend in enumerate(self.backends):
            if isinstance(backend, ReadAhead):
                for nearer in self.backends[:depth]:
                    if isinstance(nearer, ViewMemory):
                        slots = slots[~nearer.holds(slots)]
                backend.ahead(slots)

    def _cells(self, slots: Slots, images: Tensor | None) -> Tensor:
        cells = torch.empty(len(slots), *self.shape, dtype=torch.float16, device=self.device)
        missing = np.arange(len(slots))
        for depth, backend in enumerate(self.backends):
            found, values = backend.read(slots[missing])
            self._keep(cells, missing[found], slots, values, self.backends[:depth])
            missing = missing[~found]
        if len(missing):
            fresh = self._run(slots[missing], None if images is None else images[self._on_device(missing)])
            self._keep(cells, missing, slots, fresh, self.backends)
        return cells

    def wanted_on_device(self, shown: int) -> int:
        """Return the bytes of the device's memory that so many shown images take still, if there is room."""
        return sum(backend.wanted(shown) for backend in self.backends if isinstance(backend, ViewMemory))

    def release(self) -> None:
        """Give the device's memory back; what a file holds stays."""
        for backend in self.backends:
            if isinstance(backend, ViewMemory):
                backend.release()

    def verify(self, slots: Slots) -> Verification:
        """Compute those of ``slots`` that the last backend holds, and compare them with what it holds."""
        found, kept = self.backends[-1].read(slots)
        if not found.any():
            return Verification(0, 0, 0.0, 0.0)
        fresh, kept = self._run(slots[found]).cpu().float(), kept.cpu().float()
        differences = (fresh - kept).abs().flatten(1).amax(1)
        different = int((differences != 0).sum())
        return Verification(len(fresh), different, differences.max().item(), fresh.abs().max().item())

    def _keep(
        self, cells: Tensor, at: Slots, slots: Slots, values: Tensor, backends: Sequence[CacheBackend]
    ) -> None:
        """Put ``values`` [m, cells, K] at rows ``at`` [m] of ``cells``, and keep them in ``backends``."""
        values = self._copies.copy(values)
        cells[self._on_device(at)] = values
        for backend in backends:
            backend.write(slots[at], values)

    def _run(self, slots: Slots, images: Tensor | None = None) -> Tensor:
        """Run the teacher: outputs [n, cells, K] for ``slots`` [n], in whole chunks."""
        self.computed += len(slots)
        whole = -(-len(slots) // CHUNK) * CHUNK
        numbers = slots if images is None else np.arange(len(slots))
        parts = torch.split(self._on_device(np.resize(numbers, whole)), CHUNK)
        shown = (self.source.images(part) if images is None else images[part] for part in parts)
        chunks = [self.forward(part.contiguous(memory_format=torch.channels_last)) for part in shown]
        return torch.cat(chunks)[: len(slots)]

    def _on_device(self, numbers: Slots) -> Tensor:
        return torch.from_numpy(numbers).to(self.device, non_blocking=True)
