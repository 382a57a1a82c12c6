"""What a library's error says, cut down to what fits a line of ours."""

from __future__ import annotations


def short(error: BaseException, most: int = 200) -> str:
    """The whole message on one line, its type where it has none."""
    return " ".join(str(error).split())[:most] or type(error).__name__


def first_line(error: BaseException, most: int = 200) -> str:
    """The first line of a message that goes on with a trace or advice, its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:most]
