"""Reads, in a process on the fake device, what it was asked for."""

from __future__ import annotations

import ctypes
import os
from functools import cache
from types import TracebackType

NAMES = (
    "launches",
    "captured",
    "graph_launches",
    "captures",
    "to_device",
    "aside",
    "to_host",
    "on_device",
    "stream_waits",
    "synchronisations",
    "allocations",
)
"""In the order of ``counters.h``."""


@cache
def library() -> ctypes.CDLL:
    """Return the preloaded library."""
    return ctypes.CDLL(os.environ["FAKECUDA_LIBRARY"])


def read() -> dict[str, int]:
    """Return all counters since the process began."""
    values = (ctypes.c_long * len(NAMES))()
    library().fakecuda_read(values)
    return dict(zip(NAMES, values, strict=True))


def memory() -> int:
    """Return the bytes of device memory that are taken."""
    library().fakecuda_memory.restype = ctypes.c_long
    return int(library().fakecuda_memory())


def refuse_captures(refused: bool) -> None:
    """Let captures fail from now on, or succeed again."""
    library().fakecuda_refuse_capture(int(refused))


class Counted:
    """Counts what the device is asked for inside ``with``; each counter is an attribute afterwards."""

    launches: int
    captured: int
    graph_launches: int
    captures: int
    to_device: int
    aside: int
    to_host: int
    on_device: int
    stream_waits: int
    synchronisations: int
    allocations: int

    def __enter__(self) -> Counted:
        self._before = read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, value in read().items():
            setattr(self, name, value - self._before[name])
