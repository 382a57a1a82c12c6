"""Tune's callbacks in the study's terms: what is lost is begun again, what failed is not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from study.errors import StageFailed, StudyHalted
from study.plan.trial import PlannedTrial
from study.tune.callback import TuneCallback, TunerExit, own_metrics
from study.tune.failures import LOSSES
from tests.study.tracking.test_uploader import record
from trainables.config import TrialConfig
from trainables.ray_worker.messages import FAILED, FAULT, REMARKS


class Heard:
    """A listener that keeps what it hears."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.failed = 0

    def began(self, planned: PlannedTrial) -> None:
        self.events.append(("began",))

    def reported(self, planned: PlannedTrial, metrics: Any) -> None:
        self.events.append(("reported", metrics["epoch"]))

    def remarked(self, planned: PlannedTrial, text: str) -> None:
        self.events.append(("remarked", text))

    def ended(self, planned: PlannedTrial, status: str, reason: str = "") -> None:
        self.failed += status == "failed"
        self.events.append(("ended", status, reason))

    def slots(self, slots: int, cpus: int, gpus: float) -> None:
        self.events.append(("slots",))


@pytest.fixture
def trial(tmp_path: Path) -> Any:
    config = record(0, 0).config
    file = tmp_path / "error.txt"
    return SimpleNamespace(
        trial_id="a",
        config={"trial": config},
        max_failures=LOSSES,
        num_failures=0,
        error_file=str(file),
        last_result={},
    )


def relay(heard: Heard, trial: Any, most_failed: int | None = None) -> TuneCallback:
    planned = PlannedTrial(TrialConfig.from_dict(trial.config["trial"]), "search", "a-b", "SD-KD")
    return TuneCallback(lambda key: planned, lambda key: "", heard, most_failed, lambda: None)


def test_a_new_epoch_forgives_losses_and_a_replayed_one_does_not(trial: Any) -> None:
    heard = Heard()
    calls = relay(heard, trial)
    calls.on_trial_result(1, [], trial, {"epoch": 1, "lr": 0.1, "pid": 7})
    trial.num_failures = 2
    calls.on_trial_recover(1, [], trial)
    calls.on_trial_result(1, [], trial, {"epoch": 1, "lr": 0.1})
    assert trial.max_failures == LOSSES
    calls.on_trial_result(1, [], trial, {"epoch": 2, "lr": 0.1, REMARKS: ["damaged"]})
    assert trial.max_failures == 2 + LOSSES
    text = "its process was lost; it goes on from its last checkpoint"
    assert heard.events == [
        ("reported", 1),
        ("remarked", text),
        ("reported", 1),
        ("remarked", "damaged"),
        ("reported", 2),
    ]


def test_a_trial_that_says_it_failed_is_not_begun_again(trial: Any) -> None:
    heard = Heard()
    calls = relay(heard, trial)
    calls.on_trial_result(1, [], trial, {"epoch": 0, FAILED: "NonFiniteLoss: nan"})
    assert trial.max_failures == 0
    calls.on_trial_error(1, [], trial)
    assert heard.events == [("ended", "failed", "NonFiniteLoss: nan")]


def test_too_many_failures_end_the_run(trial: Any) -> None:
    calls = relay(Heard(), trial, most_failed=1)
    calls.on_trial_error(1, [], trial)
    with pytest.raises(TunerExit) as caught:
        calls.on_trial_error(1, [], trial)
    assert isinstance(caught.value.reason, StageFailed)
    assert "2 trials have failed, and budget.max_failures is 1" in str(caught.value.reason)


def test_a_fault_of_a_place_ends_the_run_and_no_trial(trial: Any) -> None:
    heard = Heard()
    with pytest.raises(TunerExit) as caught:
        relay(heard, trial).on_trial_result(1, [], trial, {"epoch": 0, FAULT: "cannot write x: full"})
    assert isinstance(caught.value.reason, StudyHalted)
    assert heard.events == []


def test_tunes_own_columns_are_left_out() -> None:
    result = {"epoch": 1, "lr": 0.1, "val/top1": 50.0, "pid": 3, "config": {}, "training_iteration": 1}
    assert own_metrics(result) == {"epoch": 1, "lr": 0.1, "val/top1": 50.0}
