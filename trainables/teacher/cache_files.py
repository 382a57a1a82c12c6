"""Keeps teacher outputs in a file shared by the processes of a node, or in a device's memory.

PATH.cells  float16, entry s at s times the entry's size (rounded up to 8 bytes); sparse where nothing is kept
PATH.marks  uint32 an entry: 0 where there is none, else a check sum of the entry and of its slot

A mark is written after its entry. Whatever a crash, a lost page or another writer leaves behind, an entry
that does not match its mark is not there, and is made again. Processes that write the same entry write the
same bytes, so they need no lock.
"""

from __future__ import annotations

import fcntl
import math
import mmap
import os
import shutil
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Slots = NDArray[np.int64]
Mask = NDArray[np.bool_]
RESERVE = 1 << 30
"""Bytes of disk that are left free: a write to a mapped file on a full disk would kill the process."""


class CacheBackend(Protocol):
    """Keeps entries [cells, K] in float16, by slot."""

    def read(self, slots: Slots) -> tuple[Mask, Tensor]:
        """Return which of ``slots`` [n] are there, and the entries [m, cells, K] of those, in their order."""

    def write(self, slots: Slots, values: Tensor) -> None:
        """Keep ``values`` [n, cells, K] at ``slots`` [n], as far as there is room."""


class ViewFile:
    """Keeps entries in a file; those with a slot from ``capacity`` on are never kept.

    Args:
        path: of the two files, without their suffixes.
        shape: of an entry, (cells, K).
        capacity: number of entries.
    """

    def __init__(self, path: Path, shape: tuple[int, int], capacity: int) -> None:
        self.shape = shape
        self.capacity = capacity
        self.folder = path.parent
        self.folder.mkdir(parents=True, exist_ok=True)
        words = entry_bytes(shape) // 8
        self._entries = _mapped(path.with_suffix(".cells"), np.uint64, capacity, words)
        self._marks = _mapped(path.with_suffix(".marks"), np.uint32, capacity, 1)[:, 0]
        random = np.random.Generator(np.random.PCG64(20240617))
        self._factors = random.integers(1 << 63, size=words + 1, dtype=np.uint64) * 2 + 1

    def marked(self) -> Slots:
        """Return all slots that bear a mark, rising."""
        return np.flatnonzero(self._marks)

    def read(self, slots: Slots) -> tuple[Mask, Tensor]:
        """Read as :class:`CacheBackend` says; entries on the CPU."""
        within = slots < self.capacity
        marks = np.where(within, self._marks[np.where(within, slots, 0)], 0)
        found = marks != 0
        entries = self._entries[slots[found]]
        whole = marks[found] == self._check_sums(entries, slots[found])
        found[found] = whole
        entries = entries if whole.all() else entries[whole]
        values = entries.view(np.float16)[:, : math.prod(self.shape)]
        return found, torch.from_numpy(values).view(-1, *self.shape)

    def write(self, slots: Slots, values: Tensor) -> None:
        """Write as :class:`CacheBackend` says."""
        room = slots < self.capacity
        slots = slots[room]
        padded = np.zeros((len(slots), self._entries.shape[1] * 4), dtype=np.float16)
        padded[:, : math.prod(self.shape)] = values.cpu().flatten(1).numpy()[room]
        if shutil.disk_usage(self.folder).free < padded.nbytes + RESERVE:
            return
        entries = padded.view(np.uint64)
        self._entries[slots] = entries
        self._marks[slots] = self._check_sums(entries, slots)

    def forget(self) -> None:
        """Drop all entries."""
        self._marks[:] = 0

    def _check_sums(self, entries: NDArray[np.uint64], slots: Slots) -> NDArray[np.uint32]:
        """Return [n] odd numbers, of entries [n, words] and the slots they are meant for."""
        total = (entries * self._factors[1:]).sum(axis=1, dtype=np.uint64)
        total += slots.astype(np.uint64) * self._factors[0]
        sums: NDArray[np.uint32] = (total >> np.uint64(32)).astype(np.uint32) | np.uint32(1)
        return sums


class ViewMemory:
    """Keeps entries in the memory of a device, with room for all.

    Example:
        >>> memory = ViewMemory(8, (1, 10), torch.device("cpu"))
        >>> memory.write(np.array([5]), torch.ones(1, 1, 10).half())
        >>> found, entries = memory.read(np.array([4, 5]))
        >>> found.tolist(), entries.shape
        ([False, True], torch.Size([1, 1, 10]))
    """

    def __init__(self, slots: int, shape: tuple[int, int], device: torch.device) -> None:
        self._entries = torch.empty(slots, *shape, dtype=torch.float16, device=device)
        self._there = np.zeros(slots, dtype=np.bool_)

    def read(self, slots: Slots) -> tuple[Mask, Tensor]:
        """Read as :class:`CacheBackend` says; entries on the device."""
        found = self._there[slots]
        return found, self._entries[self._at(slots[found])]

    def write(self, slots: Slots, values: Tensor) -> None:
        """Write as :class:`CacheBackend` says."""
        self._entries[self._at(slots)] = values.to(self._entries.device)
        self._there[slots] = True

    def _at(self, slots: Slots) -> Tensor:
        return torch.from_numpy(slots).to(self._entries.device)


def entry_bytes(shape: tuple[int, int]) -> int:
    """Return the bytes of one entry of ``shape`` in a file."""
    return -(-math.prod(shape) * 2 // 8) * 8


def _mapped(path: Path, dtype: Any, rows: int, columns: int) -> NDArray[Any]:
    """Map the file at ``path`` as an array [rows, columns]; it is made, or made longer, to hold it."""
    size = rows * columns * np.dtype(dtype).itemsize
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o644), "r+b") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file.fileno()).st_size < size:
            os.ftruncate(file.fileno(), size)
        fcntl.flock(file, fcntl.LOCK_UN)  # a mapping keeps the file open, and with it the lock
        return np.frombuffer(mmap.mmap(file.fileno(), size), dtype=dtype).reshape(rows, columns)
