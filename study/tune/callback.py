"""Reports to a study what Ray Tune says of its trials."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

from ray import tune

from study.errors import StageFailed, StudyHalted
from study.journal.recorder import Recorder
from study.tune.failures import LOSSES, lost
from study.tune.leaving import TunerExit, exits_tuner
from study.tune.searcher import PhaseSearcher
from trainables.ray_worker.messages import FAILED, FAULT, REMARKS

CHECK_EVERY_S = 0.5


class TuneCallback(tune.Callback):
    """Reports to the recorder what happens to the trials of a Tune run.

    Args:
        searcher: suggested the trials.
        most_failed: with more failed trials than these the run ends; None for no limit.
        check: called about twice a second; what it raises ends the run.

    Tune begins a trial again whose process was lost, as long as its ``max_failures`` says so. That is raised
    with every new epoch, and lowered to nothing by a trial that says itself that it has failed.
    """

    def __init__(
        self,
        searcher: PhaseSearcher,
        recorder: Recorder,
        most_failed: int | None,
        check: Callable[[], None],
    ) -> None:
        self._searcher = searcher
        self._recorder = recorder
        self._most_failed = most_failed
        self._check = check
        self._check_at = 0.0
        self._epochs: dict[str, int] = {}
        self._reasons: dict[str, str] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Keep nothing: Tune pickles its callbacks for a restore that this project does not use."""
        return {}

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        """Call the check, about twice a second."""
        if time.monotonic() >= self._check_at:
            self._check_at = time.monotonic() + CHECK_EVERY_S
            with exits_tuner():
                self._check()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Record that a trial was given to a process."""
        with exits_tuner():
            self._recorder.began(self._searcher.planned[trial.trial_id])

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """Record the metrics of an epoch, or keep the reason with which a trial says that it has failed."""
        planned = self._searcher.planned[trial.trial_id]
        if FAULT in result:
            raise TunerExit(StudyHalted(result[FAULT]))
        if FAILED in result:
            self._reasons[trial.trial_id] = result[FAILED]
            trial.max_failures = 0
            return
        with exits_tuner():
            for remark in result.get(REMARKS, ()):
                self._recorder.remarked(planned, remark)
            self._recorder.reported(planned, own_metrics(result))
        if result["epoch"] > self._epochs.get(trial.trial_id, 0):
            self._epochs[trial.trial_id] = result["epoch"]
            trial.max_failures = trial.num_failures + LOSSES

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Record that a trial lost its process and goes on in another."""
        with exits_tuner():
            planned = self._searcher.planned[trial.trial_id]
            self._recorder.remarked(planned, f"{lost(trial)}; it goes on from its last checkpoint")

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Record that a trial is done, or was stopped before its last epoch, and why."""
        planned = self._searcher.planned[trial.trial_id]
        whole = trial.last_result.get("epoch", 0) >= planned.config.training.epochs
        with exits_tuner():
            reason = "" if whole else self._searcher.source.cut.get(planned.key, "")
            self._recorder.ended(planned, "done" if whole else "stopped", reason)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Record that a trial has failed; end the run where more have failed than are allowed."""
        with exits_tuner():
            reason = self._reasons.get(trial.trial_id) or lost(trial)
            self._recorder.ended(self._searcher.planned[trial.trial_id], "failed", reason)
            if self._most_failed is not None and self._recorder.failed > self._most_failed:
                raise StageFailed(
                    f"{self._recorder.failed} trials have failed, and budget.max_failures is "
                    f"{self._most_failed}: the study stops (the last one: {reason})"
                )


def own_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """Select what the trial itself reported: ``epoch``, ``lr`` and the names with a slash.

    >>> own_metrics({"epoch": 2, "val/top1": 45.5, "pid": 7})
    {'epoch': 2, 'val/top1': 45.5}
    """
    return {name: value for name, value in result.items() if name in ("epoch", "lr") or "/" in name}
