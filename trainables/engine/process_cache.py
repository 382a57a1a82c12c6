"""What a process keeps from one trial to the next: data, teachers, compiled steps."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar, cast

T = TypeVar("T")


class ProcessCache:
    """Things that took long to make, each under a key with all that decides it.

    A trial that finds a thing here computes the same numbers as one that has to make it.
    """

    def __init__(self) -> None:
        self._kept: dict[str, OrderedDict[Hashable, Any]] = {}

    def get(self, kind: str, key: Hashable, make: Callable[[], T], most: int = 1) -> T:
        """The thing of that ``kind`` and ``key``; made if it is not here. The ``most`` last used are kept."""
        things = self._kept.setdefault(kind, OrderedDict())
        if key in things:
            things.move_to_end(key)
        else:
            while len(things) >= most:  # before the new one is made: two may not fit on a device
                things.popitem(last=False)
            things[key] = make()
        return cast(T, things[key])
