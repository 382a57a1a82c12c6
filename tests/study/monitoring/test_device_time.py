"""Device time, from journals whose sums can be done in the head."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from study.journal.curves import LearningCurves
from study.journal.metrics_reader import ARRIVED
from study.journal.notes import Note, note_of
from study.monitoring.device_time import SPENT, device_time

EPOCH = {"time/epoch_s": 10.0, "time/train_s": 6.0, "time/teacher_s": 3.0, "time/evaluate_s": 1.0}


def curves(*trials: list[float]) -> LearningCurves:
    """Trials of epochs of 10 s, by the times at which they reported."""
    histories = [[{**EPOCH, ARRIVED: when} for when in trial] for trial in trials]
    return LearningCurves.from_histories((*SPENT, ARRIVED), histories)


def note(kind: str, when: float, **about: Any) -> Note:
    return note_of({"type": kind, "time": when, **about})


LAUNCH = [note("launch", 0.0), note("slots", 5.0, slots=2)]


def test_parts_and_idle_add_up_to_devices_times_wall_clock() -> None:
    found = device_time(curves([20.0, 30.0], [22.0]), [10.0, 10.0], [*LAUNCH, note("leave", 40.0)], 99.0)
    assert (found.devices, found.total_s) == (2, 80.0)  # from the launch on, not from the first trial on
    assert (found.train_s, found.teacher_s, found.evaluate_s, found.compile_s) == (18.0, 9.0, 3.0, 0.0)
    assert found.idle_s == 50.0
    assert found.utilisation == pytest.approx(30 / 80)


def test_epochs_that_were_only_replayed_cost_nothing() -> None:
    known = device_time(curves([10.0, 10.0, 10.0]), [10.0], [*LAUNCH, note("leave", 40.0)], 99.0)
    assert (known.train_s, known.idle_s) == (0.0, 80.0)
    half = device_time(curves([15.0]), [10.0], [*LAUNCH, note("leave", 40.0)], 99.0)
    assert half.train_s == pytest.approx(3.0)


def test_a_killed_launch_counts_until_it_was_last_heard_of_and_a_running_one_until_now() -> None:
    notes = [*LAUNCH, note("launch", 100.0), note("slots", 100.0, slots=4), note("slots", 110.0, slots=1)]
    found = device_time(curves([20.0, 30.0], [115.0]), [10.0, 105.0], notes, 130.0)
    assert found.total_s == 2 * 30 + 4 * 10 + 1 * 20
    assert found.devices == 1


def test_no_time_before_there_was_any_trial() -> None:
    found = device_time(curves(), [], [note("launch", 0.0)], 10.0)
    assert (found.total_s, found.idle_s, found.utilisation) == (0.0, 0.0, None)
    assert not np.isnan(found.train_s)
