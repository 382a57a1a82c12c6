"""Limits what all that a process remembers takes of its device's memory."""

from __future__ import annotations

from collections.abc import Callable

PART = 4
"""A process takes one part in so many of what is free without what it has taken, at most."""


def left_free(free: float, processes: int, wanted: float) -> float:
    """Return what is free of a device once each of ``processes`` has taken what it may, and wants.

    Side by side each takes w, or fills a third of what is left at last: max(free - n w, free / (1 + n / 3)).

    Args:
        free: what is free now, in any unit, such as shares of the device.
        wanted: w, what each would take if there were room.

    >>> left_free(0.7, processes=8, wanted=0.25), left_free(0.7, processes=2, wanted=0.05)
    (0.19090909090909092, 0.6)
    """
    return max(free - processes * wanted, free / (1 + processes / (PART - 1)))


class DeviceShare:
    """Counts the bytes that are taken of a device's memory: a quarter of what is free without them, at most.

    What is free is asked for each time, so that processes that share a device leave each other their parts.

    Args:
        limit: most bytes, however much is free.
        free: gives the bytes of the device that nobody has taken.

    Example:
        >>> share = DeviceShare(limit=100, free=lambda: 120 - share.taken)
        >>> share.take(7, size=4), share.take(7, size=4), share.room
        (7, 0, 2)
        >>> share.give_back(28)
        >>> share.room
        30
    """

    def __init__(self, limit: int, free: Callable[[], int]) -> None:
        self.limit, self.taken = limit, 0
        self._free = free

    @property
    def room(self) -> int:
        """Bytes that may be taken now."""
        return max(0, min(self.limit, (self._free() + self.taken) // PART) - self.taken)

    @property
    def never_taken(self) -> int:
        """Bytes that may be taken still, if ever so much is free."""
        return max(0, self.limit - self.taken)

    def take(self, count: int, size: int, least: int = 1) -> int:
        """Take ``count`` pieces of ``size`` bytes, or as many as there is room for; return how many.

        Args:
            least: none are taken where there is room for fewer.
        """
        count = min(count, self.room // size)
        if count < least:
            return 0
        self.taken += count * size
        return count

    def give_back(self, taken: int) -> None:
        """Take so many bytes no more."""
        self.taken -= taken
