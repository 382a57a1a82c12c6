"""Limits what all that a process remembers takes of its device's memory."""

from __future__ import annotations

from collections.abc import Callable


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
        return max(0, min(self.limit, (self._free() + self.taken) // 4) - self.taken)

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
