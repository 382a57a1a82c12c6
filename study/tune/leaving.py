"""Carries an exception out of a Tune run unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class TunerExit(BaseException):
    """Carries an exception out of Tuner.fit() unchanged; of an ordinary one Tune would make a text.

    >>> try:
    ...     with exits_tuner():
    ...         raise ValueError("no space left on device")
    ... except TunerExit as leave:
    ...     print(leave.reason)
    no space left on device

    Attributes:
        reason: the exception that it carries.
    """

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
