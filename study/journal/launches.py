"""Adds up the time that launches spent, from what they noted in the journal."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence

from study.journal.journal import Line
from study.journal.record import TrialRecord


def search_seconds(notes: Sequence[Line], records: Iterable[TrialRecord]) -> float:
    """Wall-clock seconds that launches spent in the search stage; of a killed one, until last heard of."""
    heard = sorted(
        moment
        for record in records
        if record.stage == "search"
        for moment in (record.started, *record.times, *(() if record.ended is None else (record.ended,)))
    )
    total = 0.0
    for number, note in enumerate(notes):
        if note["type"] != "stage" or note["stage"] != "search":
            continue
        after = next((n for n in notes[number + 1 :] if n["type"] in ("stage", "leave", "launch")), None)
        if after is not None and after["type"] != "launch":
            total += after["time"] - note["time"]
            continue
        limit = bisect_left(heard, after["time"]) if after is not None else len(heard)
        last = heard[limit - 1] if limit else note["time"]
        total += max(0.0, last - note["time"])
    return total


def devices_by_time(notes: Sequence[Line]) -> Callable[[float], float]:
    """How many devices a trial that began then had: its GPUs or part of one, 1 on a CPU."""
    slots = [note for note in notes if note["type"] == "slots"]
    times = [note["time"] for note in slots]
    return lambda moment: float((slots[max(0, bisect_right(times, moment) - 1)]["gpus"] if slots else 0) or 1)
