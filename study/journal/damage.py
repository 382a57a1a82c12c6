"""Says where a journal is damaged, in place of what a parser says of it, and what to do about it safely.

A line that is merely taken out may leave a trial that looks whole and is not, so none is advised to be. What
a launch can make good is a journal as a crash would leave it, cut off before a line, and one that has nothing
of a trial: it asks for the trial again, and what the store has of it is not trained once more.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from study.errors import UserError, one_line
from study.journal.lines import Line, parse

COPY = "put the journal back from a copy"


class JournalDamaged(UserError):
    """Says that a journal holds what nobody wrote, or lacks what was; a last line cut off is no damage."""


@contextmanager
def told_by_line(path: Path) -> Iterator[None]:
    """Name the damaged line of the journal at ``path`` where reading it fails inside.

    Raises:
        JournalDamaged: with the line's number and what to do.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        with path.open("rb") as file:
            check_lines(path, file)
        raise JournalDamaged(f"{path}: damaged ({one_line(error, part='first')}); {COPY}") from error


def check_lines(where: Path | str, lines: Iterable[bytes], remedy: str = "") -> None:
    """Check that each whole line can be one of a journal.

    Args:
        where: their file, as the user knows it.
        remedy: what to do about a damaged one, where that is not for the line to say.

    Raises:
        JournalDamaged: one cannot, with its number.
    """
    for _ in _numbered(where, lines, remedy):
        pass


def advice(number: int, key: str = "", first: str = "") -> str:
    """Say what to do about line ``number``, of the trial ``key``, of a journal whose first is of ``first``.

    >>> advice(7, "9cdc")
    'put the journal back from a copy, or take out all lines of trial 9cdc: the next launch takes it up again'
    >>> advice(1)
    'put the journal back from a copy: the study is known by its first line'
    """
    if number == 1 or (key and key == first):
        return f"{COPY}: the study is known by its first line"
    if key:
        return f"{COPY}, or take out all lines of trial {key}: the next launch takes it up again"
    return f"{COPY}, or cut it off before that line: the next launch takes up again what came after"


def missing_epoch(path: Path, key: str, epoch: int) -> JournalDamaged:
    """Return what is wrong with a journal in which a trial has later epochs, and not this one."""
    reason = f"trial {key} goes on here, and its epoch {epoch} is missing"
    return _of_trial(
        path, key, reason, lambda line: line["type"] == "report" and line["metrics"]["epoch"] > epoch
    )


def missing_at_end(path: Path, key: str, wanted: int, found: int) -> JournalDamaged:
    """Return what is wrong with a journal in which a trial ended with more epochs than are there."""
    reason = f"trial {key} ends here after {wanted} epochs, and only {found} are there"
    return _of_trial(path, key, reason, lambda line: line["type"] == "end")


def missing_start(path: Path, key: str) -> JournalDamaged:
    """Return what is wrong with a journal in which a trial ends, or is spoken of, that never began."""
    reason = f"of trial {key}, and the line with which it began is missing"
    return _of_trial(path, key, reason, lambda line: line["type"] in ("end", "remark"))


def _of_trial(path: Path, key: str, reason: str, shows: Callable[[Line], bool]) -> JournalDamaged:
    """Say the ``reason`` at the first of a trial's lines that ``shows`` it."""
    first, shown = "", 0
    with path.open("rb") as file:
        for number, line in _numbered(path, file):
            first = line.get("key", "") if number == 1 else first
            if not shown and line.get("key") == key and shows(line):
                shown = number
    return _told(path, shown, reason, advice(shown, key, first))


def _numbered(where: Path | str, lines: Iterable[bytes], remedy: str = "") -> Iterator[tuple[int, Line]]:
    """Yield the whole lines with their numbers; one that a crash cut off at the end is passed over."""
    first = ""
    for number, raw in enumerate(lines, start=1):
        if not raw.endswith(b"\n"):
            return
        try:
            line = parse(raw)
        except ValueError as error:
            key = _key(raw)
            raise _told(where, number, str(error), remedy or advice(number, key, first)) from None
        first = line.get("key", "") if number == 1 else first
        yield number, line


def _told(where: Path | str, number: int, reason: str, remedy: str) -> JournalDamaged:
    return JournalDamaged(f"{where}, line {number}: damaged ({reason}); {remedy}")


def _key(raw: bytes) -> str:
    """Return the key of the trial that a damaged line is of; empty where it does not say so."""
    try:
        key = json.loads(raw)["key"]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return key if isinstance(key, str) and key.isalnum() else ""
