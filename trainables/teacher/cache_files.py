"""Keeps teacher outputs in a file shared by the processes of a node.

PATH.rows   int32: how many rows are given, then for each slot its row, counted from 1, or 0
PATH.cells  float16, row r at r times the entry's size (rounded up to 8 bytes); rows are filled in their order
PATH.marks  uint32 a row: 0 where there is nothing, else a check sum of the entry and of its slot

A slot gets its row when it is first written, under a lock, and keeps it for ever; so the file is as large as
what was used, however many slots there are. An entry and then its mark are written without a lock: processes
that write the same entry write the same bytes. Whatever a kill, a lost page or another writer leaves behind,
an entry that does not match its mark, for its slot, is not there, and is made again.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.teacher.row_table import Mask, RowTable, Slots

SUFFIXES = (".rows", ".cells", ".marks")
RESERVE = 1 << 30
"""Bytes of disk that are left free: a write to a mapped file on a full disk would kill the process."""


class CacheBackend(Protocol):
    """Keeps entries [cells, K] in float16, by slot."""

    def read(self, slots: Slots) -> tuple[Mask, Tensor]:
        """Return which of ``slots`` [n] are there, and the entries [m, cells, K] of those, in their order."""

    def write(self, slots: Slots, values: Tensor) -> None:
        """Keep ``values`` [n, cells, K] at ``slots`` [n], as far as there is room."""


class ViewFile:
    """Keeps entries in a file, as many as there is room for, first come first served.

    Args:
        path: of the three files, without their suffixes.
        shape: of an entry, (cells, K).
        slots: number of slots.
        capacity: number of entries there is room for.
    """

    def __init__(self, path: Path, shape: tuple[int, int], slots: int, capacity: int) -> None:
        self.shape = shape
        self.folder = path.parent
        self.folder.mkdir(parents=True, exist_ok=True)
        words = entry_bytes(shape) // 8
        self._table_path = path.with_suffix(".rows")
        self._table = RowTable(_mapped(self._table_path, np.int32, slots + 1, 1)[:, 0], capacity)
        self._entries = _mapped(path.with_suffix(".cells"), np.uint64, capacity, words)
        self._marks = _mapped(path.with_suffix(".marks"), np.uint32, capacity, 1)[:, 0]
        random = np.random.Generator(np.random.PCG64(20240617))
        self._factors = random.integers(1 << 63, size=words + 1, dtype=np.uint64) * 2 + 1
        with _locked(self._table_path):
            self._table.mend()

    def marked(self) -> Slots:
        """Return all slots that bear a mark, rising."""
        slots = self._table.slots()
        marked: Slots = slots[self._marks[self._table.rows(slots)] != 0]
        return marked

    def read(self, slots: Slots) -> tuple[Mask, Tensor]:
        """Read as :class:`CacheBackend` says; entries on the CPU."""
        rows = self._table.rows(slots)
        marks = np.where(rows >= 0, self._marks[rows], 0)
        found = marks != 0
        entries = self._entries[rows[found]]
        whole = marks[found] == self._check_sums(entries, slots[found])
        found[found] = whole
        entries = entries if whole.all() else entries[whole]
        values = entries.view(np.float16)[:, : math.prod(self.shape)]
        return found, torch.from_numpy(values).view(-1, *self.shape)

    def write(self, slots: Slots, values: Tensor) -> None:
        """Write as :class:`CacheBackend` says."""
        if shutil.disk_usage(self.folder).free < len(slots) * entry_bytes(self.shape) + RESERVE:
            return
        rows = self._table.rows(slots)
        if (rows < 0).any() and self._table.room:
            with _locked(self._table_path):
                rows = self._table.give(slots)
        kept = rows >= 0
        rows, slots = rows[kept], slots[kept]
        padded = np.zeros((len(rows), self._entries.shape[1] * 4), dtype=np.float16)
        padded[:, : math.prod(self.shape)] = values.cpu().flatten(1).numpy()[kept]
        entries = padded.view(np.uint64)
        self._entries[rows] = entries
        self._marks[rows] = self._check_sums(entries, slots)

    def forget(self) -> None:
        """Drop all entries; slots keep their rows."""
        self._marks[:] = 0

    def _check_sums(self, entries: NDArray[np.uint64], slots: Slots) -> NDArray[np.uint32]:
        """Return [n] odd numbers, of entries [n, words] and the slots they are meant for."""
        total = (entries * self._factors[1:]).sum(axis=1, dtype=np.uint64)
        total += slots.astype(np.uint64) * self._factors[0]
        sums: NDArray[np.uint32] = (total >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
        return sums


def entry_bytes(shape: tuple[int, int]) -> int:
    """Return the bytes of one entry of ``shape`` in a file."""
    return -(-math.prod(shape) * 2 // 8) * 8


@contextmanager
def _locked(path: Path) -> Iterator[int]:
    """Hold the lock of the file at ``path``, made if it is not there; a killed process lets go of it."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        fcntl.flock(descriptor, fcntl.LOCK_UN)  # a mapping keeps the file open, and with it the lock
        os.close(descriptor)


def _mapped(path: Path, dtype: Any, rows: int, columns: int) -> NDArray[Any]:
    """Map the file at ``path`` as an array [rows, columns]; it is made, or made longer, to hold it."""
    size = rows * columns * np.dtype(dtype).itemsize
    with _locked(path) as descriptor:
        if os.fstat(descriptor).st_size < size:
            os.ftruncate(descriptor, size)
        return np.frombuffer(mmap.mmap(descriptor, size), dtype=dtype).reshape(rows, columns)
