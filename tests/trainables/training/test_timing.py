"""The seconds of an epoch are counted once each, on a clock that the test moves."""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

import trainables.engine.compilation as compiled_room
from tests.trainables.trials import Run, tiny
from trainables.data.dataset import DataSet
from trainables.engine.compilation import try_compile
from trainables.engine.evaluation import evaluate_due
from trainables.storage.run_store import RunStore
from trainables.training import loop
from trainables.training.timing import EpochTimer


class Clock:
    """A clock that stands still but for :meth:`work` and :meth:`compile`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def work(self, seconds: float) -> None:
        self.now += seconds

    def compile(self, seconds: float) -> None:
        try_compile("a thing", lambda: self.work(seconds), print)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setattr(compiled_room, "_durations", [])
    clock = Clock()
    monkeypatch.setattr(time, "perf_counter", clock)
    return clock


def epoch(clock: Clock, source: Any, evaluation: Callable[[], None]) -> dict[str, float]:
    """The times of an epoch of four steps of 2 s, the teacher's 1 s in each, and an ``evaluation``."""
    times = EpochTimer(source)
    for _ in range(4):
        clock.work(3.0)
        source.seconds += 1.0
    times.trained(4)
    evaluation()
    return times.evaluated()


TRAINED = {"time/train_s": 8.0, "time/teacher_s": 4.0, "time/batch_ms": 2000.0}


def test_what_is_compiled_in_an_evaluation_is_told_once_and_with_its_epoch(clock: Clock) -> None:
    source = SimpleNamespace(seconds=0.0)

    def recorded() -> None:
        clock.compile(30.0)
        clock.work(5.0)

    clock.compile(60.0)
    first = epoch(clock, source, recorded)
    second = epoch(clock, source, lambda: clock.work(5.0))
    assert first == {**TRAINED, "time/compile_s": 90.0, "time/evaluate_s": 5.0, "time/epoch_s": 17.0}
    assert second == {**TRAINED, "time/evaluate_s": 5.0, "time/epoch_s": 17.0}


def test_what_is_compiled_in_training_is_not_training(clock: Clock) -> None:
    times = EpochTimer(None)
    clock.compile(7.0)
    clock.work(8.0)
    times.trained(4)
    expected = {**TRAINED, "time/teacher_s": 0.0, "time/compile_s": 7.0, "time/evaluate_s": 0.0}
    assert times.evaluated() == {**expected, "time/epoch_s": 8.0}


def test_a_student_that_is_only_evaluated_has_the_same_times(clock: Clock) -> None:
    times = EpochTimer(None)
    clock.compile(7.0)
    clock.work(8.0)
    assert times.evaluated() == {"time/compile_s": 7.0, "time/evaluate_s": 8.0, "time/epoch_s": 8.0}


@pytest.mark.usefixtures("one_thread")
def test_a_trial_tells_the_compilation_of_its_evaluation_with_the_first_epoch(
    clock: Clock, store: RunStore, digits: DataSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a GPU the first evaluation is recorded; here the clock says that it was."""

    def recorded(config: Any, student: Any, data: Any, epoch: int, runtime: Any) -> Any:
        if epoch == 1:
            clock.compile(30.0)
        clock.work(5.0)
        return evaluate_due(config, student, data, epoch, runtime)

    monkeypatch.setattr(loop, "evaluate_due", recorded)
    first, second = Run(tiny(training={"epochs": 2}), store, digits).reports
    assert (first["time/compile_s"], first["time/evaluate_s"]) == (30.0, 5.0)
    assert "time/compile_s" not in second
    assert second["time/evaluate_s"] == second["time/epoch_s"] == 5.0
