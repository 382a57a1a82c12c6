"""Adds up how the devices of a study spent their time, from what trials and launches wrote in the journal.

A device is what one trial gets, a slot: a core, a GPU or a part of one, a group of them. Its time is the
wall-clock of the launches; what no epoch accounts for is idle: starting processes, loading data, waiting for
the next trial, and epochs that a crash lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from study.journal.curves import Floats, LearningCurves
from study.journal.metrics_reader import ARRIVED
from study.journal.notes import LaunchNote, LeaveNote, Note, SlotsNote

PARTS = {
    "train_s": "time/train_s",
    "teacher_s": "time/teacher_s",
    "evaluate_s": "time/evaluate_s",
    "compile_s": "time/compile_s",
}
"""Parts of an epoch's time, each with the name that trials report it under."""
WHOLE = "time/epoch_s"
SPENT = (WHOLE, *PARTS.values())


@dataclass(frozen=True, slots=True)
class DeviceTime:
    """Holds the seconds that devices spent on each kind of work, all devices together.

    >>> curves = LearningCurves.from_histories(
    ...     [*SPENT, ARRIVED], [[{"time/epoch_s": 8.0, "time/train_s": 6.0, ARRIVED: 108.0}]]
    ... )
    >>> notes = [LaunchNote(time=98.0), SlotsNote(slots=1, time=98.0), LeaveNote(outcome="done", time=108.0)]
    >>> spent = device_time(curves, started=[98.0], notes=notes, until=108.0)
    >>> spent.train_s, spent.idle_s, spent.utilisation
    (6.0, 2.0, 0.8)

    Attributes:
        devices: slots of the last launch.
        total_s: devices times wall-clock.
        train_s, teacher_s, evaluate_s, compile_s: of epochs, and of compilation before and in them.
        idle_s: the rest.
        utilisation: 1 - idle_s / total_s; None before there is any time.
    """

    devices: int
    total_s: float
    train_s: float
    teacher_s: float
    evaluate_s: float
    compile_s: float
    idle_s: float
    utilisation: float | None


def device_time(
    curves: LearningCurves, started: Sequence[float], notes: Sequence[Note], until: float
) -> DeviceTime:
    """Add up the device time of a whole study.

    Args:
        curves: of :data:`SPENT` and ``ARRIVED``.
        started: when each trial began.
        until: the present, where the last launch still runs; else when it was last heard of.
    """
    share = _share(curves, np.asarray(started, dtype=np.float64))
    parts = {name: float(np.nansum(curves.column(of) * share)) for name, of in PARTS.items()}
    busy = float(np.sum(_whole(curves) * share))
    arrivals: Floats = np.sort(curves.column(ARRIVED))
    total, devices = _slot_seconds(notes, arrivals, until)
    idle = max(total - busy, 0.0)
    return DeviceTime(devices, total, **parts, idle_s=idle, utilisation=1 - idle / total if total else None)


def _whole(curves: LearningCurves) -> Floats:
    """Return the seconds of each epoch, with the compilation before it."""
    found: Floats = np.nan_to_num(curves.column(WHOLE)) + np.nan_to_num(curves.column(PARTS["compile_s"]))
    return found


def _share(curves: LearningCurves, started: Floats) -> Floats:
    """Return the share of each epoch that was spent in this study: 0 for a known one, only replayed."""
    arrived, whole = curves.column(ARRIVED), _whole(curves)
    if not len(arrived):
        return arrived
    before = np.concatenate([[0.0], arrived[:-1]])
    some: NDArray[np.bool_] = curves.lengths > 0
    before[(curves.ends - curves.lengths)[some]] = started[some]
    share: Floats = np.clip((arrived - before) / np.maximum(whole, 1e-9), 0.0, 1.0)
    return share


def _slot_seconds(notes: Sequence[Note], arrivals: Floats, until: float) -> tuple[float, int]:
    """Return slots times seconds over all launches, and the slots of the last.

    Before the first trial of a launch the slots count as they are at it.
    """
    starts = [number for number, note in enumerate(notes) if isinstance(note, LaunchNote)]
    total, slots = 0.0, 0
    for start, after in pairwise([*starts, len(notes)]):
        launch = notes[start:after]
        end = launch[-1].time
        if not isinstance(launch[-1], LeaveNote):  # killed, or running still
            limit = notes[after].time if after < len(notes) else np.inf
            heard = arrivals[arrivals < limit]
            end = until if limit == np.inf else max(end, float(heard[-1]) if len(heard) else end)
        changes = [note for note in launch if isinstance(note, SlotsNote)]
        times = [launch[0].time, *(change.time for change in changes[1:]), end]
        for number, change in enumerate(changes):
            slots = change.slots
            total += slots * (times[number + 1] - times[number])
    return total, slots
