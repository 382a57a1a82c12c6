"""Several searches as one Tune searcher, so that all of them go on side by side."""

from __future__ import annotations

import time
from typing import Any

from ray.tune.search import Searcher

from study.plan import Job
from study.searcher import ArmSearch

LOOK_AGAIN_S = 2.0
"""How often a search that has nothing left looks for trials enqueued by hand, while others still run."""


class Interleaved(Searcher):
    """Several arms as one searcher: each suggestion comes from the arm that has the most left to ask."""

    def __init__(self, arms: list[ArmSearch]) -> None:
        super().__init__(metric=arms[0].objectives.metric, mode="max")  # what trials report
        self.arms = arms
        self._owner: dict[str, ArmSearch] = {}
        self._running: set[str] = set()
        self._jobs: dict[str, Job] = {}
        self._look_at = 0.0

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, for the same reason as in :meth:`save`."""
        return {}

    @property
    def left(self) -> int:
        """Trials that are still to be asked for."""
        return sum(arm.left for arm in self.arms)

    def job(self, key: str) -> Job:
        """The job behind a trial key that was suggested."""
        return next(arm.jobs[key] for arm in self.arms if key in arm.jobs)

    def running(self, trial_id: str) -> Job:
        """The job of a trial that runs."""
        return self._jobs[trial_id]

    def verdict(self, trial_id: str) -> str:
        """Why a running trial is to end now; empty where it may go on."""
        return ""

    def suggest(self, trial_id: str) -> Any:
        """A configuration; None while nothing is left but trials run; ``FINISHED`` after that."""
        if self._running and time.monotonic() < self._look_at:
            return None
        arm = max(self.arms, key=lambda arm: arm.left)
        suggested = arm.suggest(trial_id)
        if suggested is None:
            self._look_at = time.monotonic() + LOOK_AGAIN_S
            return None if self._running else self.FINISHED
        self._owner[trial_id] = arm
        self._jobs[trial_id] = arm.job_of(trial_id)
        self._running.add(trial_id)
        return suggested

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Pass a report on to the arm the trial belongs to."""
        self._owner[trial_id].on_trial_result(trial_id, result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Pass the end of a trial on to its arm."""
        self._running.discard(trial_id)
        self._owner[trial_id].on_trial_complete(trial_id, result, error)

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        """Everything is set already."""
        return True

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the state is in Optuna's storage and the journal."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, see :meth:`save`."""
