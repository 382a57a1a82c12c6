"""Says where a journal is damaged, in place of what a parser says of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from study.errors import UserError, one_line

WANTED = {
    "trial": ("key", "config"),
    "report": ("key", "metrics"),
    "end": ("key", "status"),
    "remark": ("key",),
}
"""Fields without which a line of a type says nothing."""


class JournalDamaged(UserError):
    """Says that a journal holds a line that nobody wrote; a last one that a crash cut off is no damage."""


@contextmanager
def told_by_line(path: Path) -> Iterator[None]:
    """Name the damaged line of the journal at ``path`` where reading it fails inside.

    Raises:
        JournalDamaged: with the line's number and what to do.
    """
    try:
        yield
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        number, reason = _first_damage(path) or (0, one_line(error, part="first"))
        where = f"{path}, line {number}" if number else str(path)
        raise JournalDamaged(
            f"{where}: damaged ({reason}); put the journal back from a copy, or take that line out"
        ) from error


def _first_damage(path: Path) -> tuple[int, str] | None:
    """Return number and fault of the first line that cannot be one of a journal; None where all can."""
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                line = json.loads(raw)
                missing = [name for name in ("time", *WANTED.get(line["type"], ())) if name not in line]
            except (ValueError, LookupError, TypeError):
                return number, "it is no line of a journal"
            if missing:
                return number, f"{missing[0]} is missing"
    return None
