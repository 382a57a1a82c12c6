"""Gives slots rows of a store in the order in which they are first used."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Slots = NDArray[np.int64]
Rows = NDArray[np.int64]
Mask = NDArray[np.bool_]


class RowTable:
    """Knows the row of each slot that has one.

    There are many more slots than are ever used: an image has 162 views, and is seen in 30 of them by the end
    of a short training. A search shares its seed, so that all its trials use the same ones.

    Args:
        table: [1 + slots] int32, of zeros or as it was left: number of rows given, then each slot's row,
            counted from 1.
        capacity: rows that there are.

    Example:
        >>> table = RowTable(np.zeros(1 + 1000, np.int32), capacity=3)
        >>> table.give(np.array([700, 2])).tolist(), table.give(np.array([2, 9, 5])).tolist()
        ([0, 1], [1, 2, -1])
        >>> table.rows(np.array([5, 700])).tolist(), table.room
        ([-1, 0], 0)
    """

    def __init__(self, table: NDArray[np.int32], capacity: int) -> None:
        self._given, self._rows = table[:1], table[1:]
        self.capacity = capacity

    @property
    def room(self) -> int:
        """Number of rows that are not given yet."""
        return max(0, self.capacity - int(self._given[0]))

    def rows(self, slots: Slots) -> Rows:
        """Return the row of each of ``slots`` [n]; -1 where it has none, or one beyond the capacity."""
        rows = self._rows[slots].astype(np.int64) - 1
        rows[rows >= self.capacity] = -1
        return rows

    def give(self, slots: Slots) -> Rows:
        """Give rows to those of ``slots`` [n] that have none, while there is room; return :meth:`rows`.

        Of several processes one at a time may do this. The number of rows given is raised first: a process
        that is killed in between leaves rows that nobody has, and none that two slots have.
        """
        new = slots[self._rows[slots] == 0]
        _, first = np.unique(new, return_index=True)
        new = new[np.sort(first)][: self.room]
        start = int(self._given[0])
        self._given[0] = start + len(new)
        self._rows[new] = np.arange(start + 1, start + 1 + len(new), dtype=np.int32)
        return self.rows(slots)

    def slots(self) -> Slots:
        """Return all slots that have a row within the capacity, rising."""
        return np.flatnonzero((self._rows > 0) & (self._rows <= self.capacity))

    def mend(self) -> None:
        """Raise the number of rows given to the highest that a slot has, where a crash lost that page."""
        self._given[0] = max(int(self._given[0]), int(self._rows.max(initial=0)))
