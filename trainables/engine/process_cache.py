"""Keeps what a process made for one trial for the next: data, teachers, compiled steps."""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class ProcessCache:
    """Keeps objects that took long to make, each under a key with all that decides it.

    A trial that finds an object here computes the same numbers as one that has to make it.

    Example:
        >>> cache = ProcessCache()
        >>> cache.get("squares", 3, lambda: 3 * 3)
        9
        >>> cache.get("squares", 3, lambda: 1 / 0)
        9
    """

    def __init__(self) -> None:
        self._entries: dict[str, OrderedDict[Hashable, Any]] = {}

    def get(
        self,
        kind: str,
        key: Hashable,
        make: Callable[[], T],
        *,
        capacity: int = 1,
        drop: Callable[[T], object] = lambda kept: None,
    ) -> T:
        """Return the object of that ``kind`` and ``key``, made if it is not here.

        The ``capacity`` last used ones of a kind are kept; ``drop`` takes one that is kept no longer. It is
        freed before the new one is made, but for what an object of another kind holds of it.
        """
        entries = self._entries.setdefault(kind, OrderedDict())
        if key in entries:
            entries.move_to_end(key)
        else:
            if len(entries) >= capacity:  # before the new one is made: two may not fit on a device
                while len(entries) >= capacity:
                    drop(entries.popitem(last=False)[1])
                gc.collect()  # a recorded step and the work that it repeats hold each other
            entries[key] = make()
        return cast(T, entries[key])

    def count(self, kind: str) -> int:
        """Return how many objects of a ``kind`` are kept."""
        return len(self._entries.get(kind, ()))
