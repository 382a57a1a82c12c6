"""Keeps teacher outputs in the memory of a device."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from trainables.teacher.device_share import DeviceShare
from trainables.teacher.row_table import Mask, Rows, RowTable, Slots

BLOCK_BYTES = 16 << 20
"""Fewest bytes that are taken at a time, but for the first and the last."""


class ViewMemory:
    """Keeps entries in the memory of a device, as many as there is room for, first come first served.

    Memory is taken block by block as entries come. A block is as large as a quarter of those before it, so
    that there are some dozens at most: each is read by calls of its own.

    Args:
        slots: number of slots.
        shape: of an entry, (cells, K).
        share: of the device's memory, which others may take of, too.

    Example:
        >>> room_for_two = DeviceShare(2 * 1 * 10 * 2, free=lambda: 1 << 30)
        >>> memory = ViewMemory(1000, (1, 10), torch.device("cpu"), room_for_two)
        >>> memory.write(np.array([5, 700, 8]), torch.ones(3, 1, 10).half())
        >>> found, entries = memory.read(np.array([4, 5, 700, 8]))
        >>> found.tolist(), entries.shape, room_for_two.room
        ([False, True, True, False], torch.Size([2, 1, 10]), 0)
    """

    def __init__(self, slots: int, shape: tuple[int, int], device: torch.device, share: DeviceShare) -> None:
        self.shape = shape
        self._slots, self._device, self._share = slots, device, share
        self._entry_bytes = math.prod(shape) * 2
        self._least = max(1, BLOCK_BYTES // self._entry_bytes)
        self._begin()

    def _begin(self) -> None:
        self._table = RowTable(np.zeros(self._slots + 1, dtype=np.int32), 0)
        self._blocks: list[Tensor] = []

    def release(self) -> None:
        """Forget all entries, and give their memory back."""
        self._share.give_back(self._table.capacity * self._entry_bytes)
        self._begin()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()  # for other processes, too

    def wanted(self, entries: int) -> int:
        """Return the bytes that are taken still if so many entries come, and there is room."""
        more = max(0, min(entries, self._slots) - self._table.capacity)
        return min(more * self._entry_bytes, self._share.never_taken)

    def holds(self, slots: Slots) -> Mask:
        """Return which of ``slots`` [n] are there."""
        return self._table.rows(slots) >= 0

    def read(self, slots: Slots) -> tuple[Mask, Tensor]:
        """Read as :class:`CacheBackend` says; entries on the device."""
        rows = self._table.rows(slots)
        found = rows >= 0
        rows = rows[found]
        entries = torch.empty(len(rows), *self.shape, dtype=torch.float16, device=self._device)
        for block, places, within in self._parts(rows):
            entries[places] = block[within]
        return found, entries

    def write(self, slots: Slots, values: Tensor) -> None:
        """Write as :class:`CacheBackend` says; where that fails, all is forgotten."""
        self._grow(int((self._table.rows(slots) < 0).sum()))
        rows = self._table.give(slots)
        kept = np.flatnonzero(rows >= 0)
        try:
            values = values.to(self._device)
            for block, places, within in self._parts(rows[kept], kept):
                block[within] = values[places]
        except BaseException:  # rows that were given and not filled would be read as entries
            self.release()
            raise

    def _grow(self, new: int) -> None:
        """Take a block more, as large as there is room for, where so many new entries find no place.

        Where another process has just taken that room there is none, as if there had never been.
        """
        missing, capacity = new - self._table.room, self._table.capacity
        if missing <= 0:
            return
        wanted = min(max(missing, capacity // 4, self._least), self._slots - capacity)
        least = min(wanted, self._least) if self._blocks else 1
        if count := self._share.take(wanted, self._entry_bytes, least):
            try:
                block = torch.empty(count, *self.shape, dtype=torch.float16, device=self._device)
            except torch.OutOfMemoryError:
                self._share.give_back(count * self._entry_bytes)
                return
            self._blocks.append(block)
            self._table.capacity += count

    def _parts(self, rows: Rows, places: Rows | None = None) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        """Yield each block that has some of ``rows`` [n], with their places in 0..n-1 and within the block.

        Args:
            places: what is yielded in place of 0..n-1.
        """
        order = np.argsort(rows, kind="stable")
        ends = np.cumsum([0, *map(len, self._blocks)])
        cuts = np.searchsorted(rows[order], ends)
        within = rows[order] - np.repeat(ends[:-1], np.diff(cuts))
        places = order if places is None else places[order]
        at = torch.from_numpy(np.stack((places, within))).to(self._device, non_blocking=True)
        for block, first, end in zip(self._blocks, cuts[:-1].tolist(), cuts[1:].tolist(), strict=True):
            if first < end:  # by number: a mask would wait for the device to count it
                yield block, at[0, first:end], at[1, first:end]
