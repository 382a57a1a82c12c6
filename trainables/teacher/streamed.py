"""Looks teacher outputs up by (seed, epoch, image), where the images of each epoch are read anew."""

from __future__ import annotations

from collections.abc import Iterable

from torch import Tensor

from trainables.config.method import Pooling
from trainables.data.epoch_plan import EpochPlan
from trainables.data.split import Batch, Split
from trainables.engine.head import HeadOutputs, chosen_regions, pooled_scales
from trainables.teacher.cache import CacheLayout, TeacherCache


class StreamedTeacher:
    """Looks the teacher's outputs up for each batch, and runs it on those of its images that are new.

    The first trial of a search runs it on all; the others share the seed, and so its images. Whatever is
    remembered, the outputs are the same: in float16, of passes over whole chunks.
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
        """Take the epoch's images, in the order of their use."""
        self._slots = self.views.source.of(split.index.cpu().numpy()[plan.rows], plan.views)
        self._at = 0

    def advance(self, images: int) -> None:
        """Do nothing: images are there when their batch is."""

    def __call__(self, batch: Batch) -> HeadOutputs:
        """Return the outputs for the next images of the epoch."""
        slots = self._slots[self._at :][: len(batch.target)]
        self._at += len(slots)
        cells = self.views.cells(slots, batch.images)
        pooled = self.layout.regions(cells, pooled_scales(self.scales, self.pooling))
        return HeadOutputs(chosen_regions(pooled, self.scales, self.pooling), None)

    def state(self) -> Iterable[Tensor]:
        """Return nothing: a call changes no tensor."""
        return ()

    def take_over(self, other: StreamedTeacher) -> None:
        """Look up what ``other`` does, which wants the same regions."""
        self.views = other.views
