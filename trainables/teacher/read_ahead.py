"""Reads a file of teacher outputs for a GPU while it trains on what was read before."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from trainables.teacher.cache_files import ViewFile
from trainables.teacher.row_table import Mask, Slots


class ReadAhead(ViewFile):
    """Reads the entries that are asked for next in a thread, into memory that a GPU copies from by itself.

    The thread calls nothing of CUDA's, which another thread's recording of a graph would not survive.
    """

    def __init__(
        self, path: Path, shape: tuple[int, int], slots: int, capacity: int, *, pinned: bool
    ) -> None:
        super().__init__(path, shape, slots, capacity)
        self._pinned = pinned
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="views")
        self._begun: tuple[Slots, Tensor, Future[Mask]] | None = None

    def ahead(self, slots: Slots) -> None:
        """Begin to read the entries of ``slots`` [n], each once, for the next :meth:`read` of any of them."""
        begun, self._begun = self._begun, None  # one that failed is not met again
        if begun is not None:
            begun[2].result()
        slots = np.unique(slots)
        values = torch.empty(len(slots), *self.shape, dtype=torch.float16, pin_memory=self._pinned)
        self._begun = (slots, values, self._thread.submit(self._fill, slots, values))

    def read(self, slots: Slots) -> tuple[Mask, Tensor]:
        """Read as :class:`CacheBackend` says; entries on the CPU, pinned where they were read ahead."""
        if self._begun is None or not len(slots):
            return super().read(slots)
        begun, values, filled = self._begun
        at = np.searchsorted(begun, slots).clip(max=len(begun) - 1) if len(begun) else np.empty(0, np.int64)
        if not len(begun) or (begun[at] != slots).any():
            return super().read(slots)
        found = filled.result()[at]
        if found.all() and np.array_equal(begun, slots):
            return found, values
        since, entries = super().read(slots[~found])  # what another process has written meanwhile
        rows, all_found = torch.from_numpy(at[found]), found.copy()
        all_found[~found] = since
        picked = torch.empty(int(all_found.sum()), *self.shape, dtype=torch.float16, pin_memory=self._pinned)
        if not since.any():
            return found, torch.index_select(values, 0, rows, out=picked)
        early = torch.from_numpy(found[all_found])
        picked[early], picked[~early] = values[rows], entries
        return all_found, picked

    def _fill(self, slots: Slots, values: Tensor) -> Mask:
        found, entries = super().read(slots)
        values[torch.from_numpy(found)] = entries
        return found
