"""Carries an exception out of a Tune run unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class TunerExit(BaseException):
    """Leaves a Tune run; Tune would make a text with a traceback of an ordinary exception."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


@contextmanager
def exits_tuner() -> Iterator[None]:
    """Let an exception out of a Tune run as it is."""
    try:
        yield
    except Exception as error:
        raise TunerExit(error) from error
