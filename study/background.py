"""Repeats a step on a thread of its own for as long as a block of code runs; names what ends a process."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

ENDING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, what a machine that shuts down sends, and a lost terminal: a launch ends alike by each of them."""


@contextmanager
def repeating(step: Callable[[], bool], every_s: float, name: str) -> Iterator[None]:
    """Call ``step`` every ``every_s`` seconds while inside, for as long as it returns True.

    The first call comes after ``every_s``; on leaving, a call that runs is waited for. ``name`` is the
    thread's.
    """
    leaving = threading.Event()

    def repeat() -> None:
        while not leaving.wait(every_s) and step():
            pass

    thread = threading.Thread(target=repeat, name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        leaving.set()
        thread.join()
