"""Tells how far a command is with many files: on a terminal as it goes, elsewhere at each tenth."""

from __future__ import annotations

from rich.console import Console


class FileProgress:
    """Prints how many files were read, or whatever is done to them.

    >>> progress = FileProgress(Console(force_terminal=False), "read")
    >>> for done in range(1, 101):
    ...     progress(done, total=1000)
    data files: 100 of 1000 read
    """

    def __init__(self, console: Console, done_to_them: str) -> None:
        self._console, self._done_to_them = console, done_to_them
        self._told = 0

    def __call__(self, done: int, total: int) -> None:
        """Print how many of ``total`` are done, unless nearly as many were printed already."""
        step = max(1, total // (1000 if self._console.is_terminal else 10))
        if done // step == self._told and done < total:
            return
        self._told = done // step
        text = f"data files: {done} of {total} {self._done_to_them}"
        end = "\r" if self._console.is_terminal and done < total else "\n"
        self._console.print(text, end=end, highlight=False)
