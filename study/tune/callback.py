"""Ray Tune's callbacks, in the study's terms."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

from ray import tune

from study.errors import StageFailed, StudyHalted
from study.plan.trial import PlannedTrial
from study.tune.failures import LOSSES, lost
from trainables.config.trial import TrialConfig
from trainables.ray_worker.messages import FAILED, FAULT, REMARKS

CHECK_EVERY_S = 0.5


class TrialListener(Protocol):
    """What hears of the trials of a run, in the order in which things happen."""

    def began(self, planned: PlannedTrial) -> None:
        """A trial was given to a process."""

    def reported(self, planned: PlannedTrial, metrics: Mapping[str, float]) -> None:
        """An epoch is done."""

    def remarked(self, planned: PlannedTrial, text: str) -> None:
        """Something went wrong in a trial and was mended."""

    def ended(self, planned: PlannedTrial, status: str, reason: str = "") -> None:
        """A trial is done, stopped early or failed."""

    @property
    def failed(self) -> int:
        """Trials of the study that have failed."""

    def slots(self, slots: int, cpus: int, gpus: float) -> None:
        """Trials run from now on: so many at once, each with these resources."""


class TunerExit(BaseException):
    """Leaves a Tune run; Tune would make a text with a traceback of an ordinary exception."""

    def __init__(self, reason: Exception) -> None:
        super().__init__(str(reason))
        self.reason = reason


@contextmanager
def exits_tuner() -> Iterator[None]:
    """Let an exception out of a Tune run as it is."""
    try:
        yield
    except Exception as error:
        raise TunerExit(error) from error


class TuneCallback(tune.Callback):
    """Tune's callbacks, in the study's terms.

    Args:
        job_of: the job of a trial key.
        cut: why the trial of a key was told to stop before its last epoch; empty where it was not.
        most_failed: with more failed trials than these the run ends; None for no limit.
        check: called about twice a second; what it raises ends the run.

    Tune begins a trial again whose process was lost, as long as its ``max_failures`` says so. That is raised
    with every new epoch, and lowered to nothing by a trial that says itself that it has failed.
    """

    def __init__(
        self,
        planned_of: Callable[[str], PlannedTrial],
        cut: Callable[[str], str],
        listener: TrialListener,
        most_failed: int | None,
        check: Callable[[], None],
    ) -> None:
        self._planned_of = planned_of
        self._cut = cut
        self._listener = listener
        self._most_failed = most_failed
        self._check = check
        self._check_at = 0.0
        self._planned_trials: dict[str, PlannedTrial] = {}
        self._epochs: dict[str, int] = {}
        self._reasons: dict[str, str] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its callbacks for a restore that this project does not use."""
        return {}

    def _planned(self, trial: Any) -> PlannedTrial:
        if trial.trial_id not in self._planned_trials:
            self._planned_trials[trial.trial_id] = self._planned_of(
                TrialConfig.from_dict(trial.config["trial"]).trial_key
            )
        return self._planned_trials[trial.trial_id]

    def on_step_begin(self, iteration: int, trials: list[Any], **info: Any) -> None:
        if time.monotonic() >= self._check_at:
            self._check_at = time.monotonic() + CHECK_EVERY_S
            with exits_tuner():
                self._check()

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        with exits_tuner():
            self._listener.began(self._planned(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        planned = self._planned(trial)
        if FAULT in result:
            raise TunerExit(StudyHalted(result[FAULT]))
        if FAILED in result:
            self._reasons[trial.trial_id] = result[FAILED]
            trial.max_failures = 0
            return
        with exits_tuner():
            for remark in result.get(REMARKS, ()):
                self._listener.remarked(planned, remark)
            self._listener.reported(planned, own_metrics(result))
        if result["epoch"] > self._epochs.get(trial.trial_id, 0):
            self._epochs[trial.trial_id] = result["epoch"]
            trial.max_failures = trial.num_failures + LOSSES

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        with exits_tuner():
            self._listener.remarked(
                self._planned(trial), f"{lost(trial)}; it goes on from its last checkpoint"
            )

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        planned = self._planned(trial)
        whole = trial.last_result.get("epoch", 0) >= planned.config.training.epochs
        with exits_tuner():
            reason = "" if whole else self._cut(planned.key)
            self._listener.ended(planned, "done" if whole else "stopped", reason)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        with exits_tuner():
            reason = self._reasons.get(trial.trial_id) or lost(trial)
            self._listener.ended(self._planned(trial), "failed", reason)
            if self._most_failed is not None and self._listener.failed > self._most_failed:
                raise StageFailed(
                    f"{self._listener.failed} trials have failed, and budget.max_failures is "
                    f"{self._most_failed}: the study stops (the last one: {reason})"
                )


def own_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """What the trial itself reported: ``epoch``, ``lr`` and the names with a slash."""
    return {name: value for name, value in result.items() if name in ("epoch", "lr") or "/" in name}
