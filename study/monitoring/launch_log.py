"""Prints what the modules of a launch log, and keeps it with times in the study's folder."""

from __future__ import annotations

import logging
from logging.handlers import MemoryHandler
from pathlib import Path

from rich.console import Console
from rich.text import Text

LOGGERS = ("study", "trainables")
"""The loggers whose children are those of our modules."""

FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"

MOST_WAITING = 10_000
"""Records that wait for the file; a launch that is refused before it has one has a handful."""


class LaunchLog:
    """Takes what is logged inside to the terminal and to a file; to be entered once a launch.

    Modules log by ``logging.getLogger(__name__)``. INFO and above is a line on the terminal, above the live
    view if there is one; everything, DEBUG with tracebacks among it, goes to the file, for whoever has to
    find out later. The file is named by :meth:`keep_in` as soon as the launcher may write in the study's
    folder; what was logged before is written then.

    Attributes:
        console: the terminal, for tables and live views.

    >>> with LaunchLog(Console(width=80)):
    ...     logging.getLogger("study.example").info("teachers: 1 trials")
    teachers: 1 trials
    """

    def __init__(self, console: Console) -> None:
        self.console = console
        self._waiting = MemoryHandler(MOST_WAITING, flushLevel=logging.CRITICAL + 1, flushOnClose=False)
        self._handlers: list[logging.Handler] = [_TerminalHandler(console), self._waiting]

    def __enter__(self) -> LaunchLog:
        for name in LOGGERS:
            logger = logging.getLogger(name)
            logger.setLevel(logging.DEBUG)
            logger.propagate = False  # libraries give the root logger handlers, which print everything again
            for handler in self._handlers:
                logger.addHandler(handler)
        return self

    def __exit__(self, *error: object) -> None:
        for name in LOGGERS:
            logger = logging.getLogger(name)
            for handler in self._handlers:
                logger.removeHandler(handler)
            logger.propagate = True
            logger.setLevel(logging.NOTSET)
        for handler in self._handlers:
            handler.close()

    def keep_in(self, file: Path) -> None:
        """Write to the end of ``file`` what is logged from now on, and what waits for it."""
        kept = logging.FileHandler(file, encoding="utf-8", errors="backslashreplace")
        kept.setFormatter(logging.Formatter(FORMAT))
        self._handlers.append(kept)
        for name in LOGGERS:
            logging.getLogger(name).addHandler(kept)
            logging.getLogger(name).removeHandler(self._waiting)
        self._waiting.setTarget(kept)
        self._waiting.flush()


class _TerminalHandler(logging.Handler):
    """Prints messages as they are: a user reads them, and knows what time it is."""

    def __init__(self, console: Console) -> None:
        super().__init__(logging.INFO)
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        """Print the message of a record."""
        self._console.print(Text(record.getMessage()), soft_wrap=True)
