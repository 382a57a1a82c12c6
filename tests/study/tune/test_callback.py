"""Tune's callbacks in the study's terms: what is lost is begun again, what failed is not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from study.errors import StageFailed, StudyHalted
from study.journal.journal import Journal, read_journal
from study.journal.record import TrialRecord
from study.journal.recorder import Recorder, TrialObserver
from study.plan.trial import PlannedTrial
from study.tune.callback import TuneCallback, own_metrics
from study.tune.failures import LOSSES
from study.tune.leaving import TunerExit
from study.tune.phases import Phase, TrialList
from study.tune.searcher import PhaseSearcher
from tests.study.tracking.test_uploader import record
from trainables.config import TrialConfig
from trainables.ray_worker.messages import FAILED, FAULT, REMARKS


class Heard(TrialObserver):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def began(self, record: TrialRecord) -> None:
        self.events.append(("began",))

    def reported(self, record: TrialRecord, epoch: int) -> None:
        self.events.append(("reported", epoch))

    def remarked(self, record: TrialRecord, text: str) -> None:
        self.events.append(("remarked", text))

    def ended(self, record: TrialRecord) -> None:
        self.events.append(("ended", record.status, record.reason))


class Run:
    """A callback between a searcher with one trial, which Tune knows as ``trial``, and a journal."""

    def __init__(self, folder: Path, most_failed: int | None = None) -> None:
        self.heard = Heard()
        config = TrialConfig.from_dict(record(0, 0).config)
        planned = PlannedTrial(config, "search", "a-b", "SD-KD")
        searcher = PhaseSearcher(Phase(TrialList([planned])), iter(()), lambda: 1)
        searcher.suggest("a")
        self.journal = Journal(folder / "journal.jsonl")
        self.key = planned.key
        recorder = Recorder(self.journal, [self.heard])
        self.calls = TuneCallback(searcher, recorder, most_failed, lambda: None)
        self.trial: Any = SimpleNamespace(
            trial_id="a",
            max_failures=LOSSES,
            num_failures=0,
            error_file=str(folder / "error.txt"),
            last_result={},
        )

    def result(self, **result: Any) -> None:
        """Have Tune hand on a report."""
        self.calls.on_trial_result(1, [], self.trial, result)


def test_a_new_epoch_forgives_losses_and_a_replayed_one_does_not(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.calls.on_trial_start(1, [], run.trial)
    run.result(epoch=1, lr=0.1, pid=7)
    run.trial.num_failures = 2
    run.calls.on_trial_recover(1, [], run.trial)
    run.calls.on_trial_start(1, [], run.trial)
    run.result(epoch=1, lr=0.1)
    assert run.trial.max_failures == LOSSES
    run.result(epoch=2, lr=0.1, **{REMARKS: ["damaged"]})
    assert run.trial.max_failures == 2 + LOSSES
    text = "its process was lost; it goes on from its last checkpoint"
    assert run.heard.events == [
        ("began",),
        ("reported", 1),
        ("remarked", text),
        ("began",),
        ("remarked", "damaged"),
        ("reported", 2),
    ]


def test_a_trial_that_says_it_failed_is_not_begun_again(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.calls.on_trial_start(1, [], run.trial)
    run.result(epoch=0, **{FAILED: "NonFiniteLoss: nan"})
    assert run.trial.max_failures == 0
    run.calls.on_trial_error(1, [], run.trial)
    assert run.heard.events == [("began",), ("ended", "failed", "NonFiniteLoss: nan")]


def test_a_process_that_is_lost_while_it_starts_ends_no_launch(tmp_path: Path) -> None:
    """Tune tells of the loss before it has told of a start."""
    run = Run(tmp_path)
    run.calls.on_trial_recover(1, [], run.trial)
    assert run.journal.records[run.key].remarks == [
        "its process was lost; it goes on from its last checkpoint"
    ]
    run.calls.on_trial_start(1, [], run.trial)
    run.result(epoch=1, lr=0.1)
    assert [event[0] for event in run.heard.events] == ["began", "remarked", "began", "reported"]
    again = read_journal(tmp_path / "journal.jsonl").records[run.key]
    assert (again.status, len(again.history)) == ("running", 1)


def test_a_trial_whose_processes_never_start_fails(tmp_path: Path) -> None:
    run = Run(tmp_path)
    run.calls.on_trial_error(1, [], run.trial)
    assert run.heard.events == [("began",), ("ended", "failed", "its process was lost")]
    assert run.journal.records[run.key].status == "failed"


def test_too_many_failures_end_the_run(tmp_path: Path) -> None:
    run = Run(tmp_path, most_failed=0)
    with pytest.raises(TunerExit) as caught:
        run.calls.on_trial_error(1, [], run.trial)
    assert isinstance(caught.value.reason, StageFailed)
    assert "1 trials have failed, and budget.max_failures is 0" in str(caught.value.reason)


def test_a_fault_of_a_place_ends_the_run_and_no_trial(tmp_path: Path) -> None:
    run = Run(tmp_path)
    with pytest.raises(TunerExit) as caught:
        run.result(epoch=0, **{FAULT: "cannot write x: full"})
    assert isinstance(caught.value.reason, StudyHalted)
    assert run.heard.events == []


def test_tunes_own_columns_are_left_out() -> None:
    result = {"epoch": 1, "lr": 0.1, "val/top1": 50.0, "pid": 3, "config": {}, "training_iteration": 1}
    assert own_metrics(result) == {"epoch": 1, "lr": 0.1, "val/top1": 50.0}
