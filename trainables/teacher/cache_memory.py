"""Keeps teacher outputs in the memory of a device."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from trainables.teacher.row_table import Mask, Rows, RowTable, Slots


class ViewMemory:
    """Keeps entries in the memory of a device, as many as there is room for, first come first served.

    Args:
        slots: number of slots.
        capacity: number of entries there is room for.
        shape: of an entry, (cells, K).

    Example:
        >>> memory = ViewMemory(1000, 2, (1, 10), torch.device("cpu"))
        >>> memory.write(np.array([5, 700, 8]), torch.ones(3, 1, 10).half())
        >>> found, entries = memory.read(np.array([4, 5, 700, 8]))
        >>> found.tolist(), entries.shape
        ([False, True, True, False], torch.Size([2, 1, 10]))
    """

    def __init__(self, slots: int, capacity: int, shape: tuple[int, int], device: torch.device) -> None:
        self._table = RowTable(np.zeros(slots + 1, dtype=np.int32), capacity)
        self._entries = torch.empty(capacity, *shape, dtype=torch.float16, device=device)

    def holds(self, slots: Slots) -> Mask:
        """Return which of ``slots`` [n] are there."""
        return self._table.rows(slots) >= 0

    def read(self, slots: Slots) -> tuple[Mask, Tensor]:
        """Read as :class:`CacheBackend` says; entries on the device."""
        rows = self._table.rows(slots)
        found = rows >= 0
        return found, self._entries[self._at(rows[found])]

    def write(self, slots: Slots, values: Tensor) -> None:
        """Write as :class:`CacheBackend` says."""
        rows = self._table.give(slots)
        kept = np.flatnonzero(rows >= 0)
        values = values.to(self._entries.device)
        if len(kept) < len(rows):
            values = values[self._at(kept)]  # by number: a mask would wait for the device to count it
        self._entries[self._at(rows[kept])] = values

    def _at(self, rows: Rows) -> Tensor:
        return torch.from_numpy(rows).to(self._entries.device, non_blocking=True)
