"""Adds up the time that launches spent, from what they noted in the journal."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence

from study.journal.notes import LaunchNote, Note, SlotsNote, StageNote
from study.journal.record import TrialRecord


def search_seconds(notes: Sequence[Note], records: Iterable[TrialRecord]) -> float:
    """Add up the seconds that launches spent in the search stage; a killed one, until last heard of."""
    heard = sorted(
        moment
        for record in records
        if record.stage == "search"
        for moment in (record.started, *record.times, *(() if record.ended is None else (record.ended,)))
    )
    total = 0.0
    for number, note in enumerate(notes):
        if not isinstance(note, StageNote) or note.stage != "search":
            continue
        after = next((n for n in notes[number + 1 :] if not isinstance(n, SlotsNote)), None)
        if after is not None and not isinstance(after, LaunchNote):
            total += after.time - note.time
            continue
        limit = bisect_left(heard, after.time) if after is not None else len(heard)
        last = heard[limit - 1] if limit else note.time
        total += max(0.0, last - note.time)
    return total


def devices_by_time(notes: Sequence[Note]) -> Callable[[float], float]:
    """Make a function that tells how many devices a trial had by when it began.

    That is its GPUs or its part of one; 1 on a CPU.
    """
    slots = [note for note in notes if isinstance(note, SlotsNote)]
    times = [note.time for note in slots]
    return lambda moment: float((slots[max(0, bisect_right(times, moment) - 1)].gpus if slots else 0) or 1)
