"""Looks teacher outputs up by (seed, epoch, image), where the images of each epoch are read anew."""

from __future__ import annotations

from torch import Tensor

from trainables.data.epoch_plan import EpochPlan
from trainables.teacher.remembered import RememberedTeacher


class StreamedTeacher(RememberedTeacher):
    """Looks the teacher's outputs up for each batch, and runs it on those of its images that are new.

    The first trial of a search runs it on all; the others share the seed, and so its images. Whatever is
    remembered, the outputs are the same: in float16, of passes over whole chunks.
    """

    def _room(self, plan: EpochPlan) -> int:
        return max(plan.sizes, default=0)

    def advance(self, images: int, shown: Tensor | None = None) -> None:
        """Have the outputs for the next so many images in the window, and begin to read those after them.

        New ones want the images themselves.
        """
        slots = self._slots[self._taken :][:images]
        self._taken += images
        cells = self.views.cells(slots, shown)
        self._read_ahead(self._taken)
        self._fill(cells)
