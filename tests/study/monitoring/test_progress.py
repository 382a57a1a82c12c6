"""What is shown of a study while it runs: also of what earlier launches of it found."""

from __future__ import annotations

import io
import logging

import pytest
from rich.console import Console

from study.journal.record import TrialRecord
from study.monitoring.progress import ProgressDisplay
from study.plan.expected import ExpectedTrials
from study.spec.methods import KD
from tests.study.made import confirmed, search, teacher

PAIR = ("resnet20", "resnet8")
ALL = ExpectedTrials(
    epochs={"teachers": 30, "search": 4, "confirm": 4}, trials={"teachers": 1, "search": 8, "confirm": 6}
)
EXPECTED = ExpectedTrials(epochs={"search": 4}, trials={"search": 8})


def display(*earlier: TrialRecord) -> ProgressDisplay:
    """A launch that goes on where the trials ``earlier`` came to an end."""
    known = {record.key: record for record in earlier}
    return ProgressDisplay(Console(file=io.StringIO()), "first", "val/top1", EXPECTED, known)


def shown(progress: ProgressDisplay) -> dict[str, str]:
    """The parts of the line that is printed now and then."""
    return dict(progress._summary())


def test_the_best_of_an_earlier_launch_is_still_the_best() -> None:
    trials = search(PAIR, 6)  # 49 to 53, and one that was stopped
    progress = display(*trials)
    progress.stage("search", total=8, left=2)
    parts = shown(progress)
    assert parts["trials"] == "5 done, 0 running, 1 stopped, 0 failed of 8"
    assert parts["best"].startswith("val/top1 53.00: resnet20-resnet8 SD-KD {1,4}")


def test_the_first_launch_has_no_best_before_a_trial_is_whole() -> None:
    progress = display()
    progress.stage("search", total=8, left=8)
    assert "best" not in shown(progress)
    first, *_ = search(PAIR, 2)
    progress.reported(first, epoch=4)
    assert shown(progress)["best"].startswith("val/top1 49.00")


def test_trials_of_earlier_launches_do_not_shorten_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("study.monitoring.progress.time.monotonic", lambda: now[0])
    *earlier, late, _ = search(PAIR, 7)
    progress = display(*earlier)
    progress.stage("search", total=8, left=3)
    for epoch in range(1, 5):
        now[0] += 2.0
        progress.reported(late, epoch)
    progress.ended(late)
    assert progress.seconds_left == pytest.approx(2 * 4 / (4 / 6))  # two trials of four epochs, not of 4/6


def test_epochs_of_teachers_say_how_long_the_teachers_take_and_nothing_of_students(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("study.monitoring.progress.time.monotonic", lambda: now[0])
    progress = ProgressDisplay(Console(file=io.StringIO()), "first", "val/top1", ALL)
    trained = teacher("resnet20", 60.0)
    progress.stage("teachers", total=1, left=1)
    progress.began(trained)
    for epoch in range(1, 5):
        now[0] += 10.0
        progress.reported(trained, epoch)
    assert shown(progress)["speed"].endswith(" left of the teachers")
    assert progress.seconds_left is not None
    assert progress.seconds_left <= 30 * 10
    progress.ended(trained)
    progress.stage("search", total=8, left=8)
    assert progress.seconds_left is None, "no student has told its speed"
    student, *_ = search(PAIR, 2)
    for epoch in range(1, 5):
        now[0] += 1.0
        progress.reported(student, epoch)
    progress.ended(student)
    assert progress.seconds_left == pytest.approx((7 + 6) * 4 / (4 / 3))
    assert shown(progress)["speed"].endswith(" left")


def test_a_line_of_a_confirming_trial_names_its_seed(caplog: pytest.LogCaptureFixture) -> None:
    progress = display()
    progress.stage("confirm", total=2, left=2)
    with caplog.at_level(logging.INFO):
        for item in confirmed(PAIR, KD(), [50.0, 51.0]):
            progress.ended(item)
    assert "seed 1, 2 epochs" in caplog.messages[-2]
    assert "seed 2, 2 epochs" in caplog.messages[-1]
