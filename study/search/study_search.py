"""Several searches as one, so that all of them go on side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from ray.tune.search import Searcher

from study.plan.trial import PlannedTrial
from study.search.budget import BudgetMeter
from study.search.early_stopping import EarlyStopping
from study.search.optuna_searcher import OptunaSearcher

LOOK_AGAIN_S = 2.0
"""How often a search that has nothing left looks for trials enqueued by hand, while others still run."""


class StudySearch:
    """Several arms as one searcher: each suggestion comes from the arm that has the most left to ask."""

    def __init__(self, searchers: list[OptunaSearcher], spending: BudgetMeter) -> None:
        self.searchers = searchers
        self.metric = searchers[0].objectives.metric
        self.spending = spending
        self.cut: dict[str, str] = {}
        """Why trials were ended before their last epoch, by key, where it was the budget."""
        self._owner: dict[str, OptunaSearcher] = {}
        self._running: set[str] = set()
        self._planned_trials: dict[str, PlannedTrial] = {}
        self._look_at = 0.0
        self._early = EarlyStopping(searchers)

    @property
    def left(self) -> int:
        """Trials that are still to be asked for."""
        return 0 if self._over() else sum(self._left(searcher) for searcher in self.searchers)

    @property
    def used(self) -> int:
        """Trials that took a place of the budget."""
        return sum(searcher.used for searcher in self.searchers)

    def _over(self) -> str | None:
        """Why all searches are to end, by the time that their trials took until now."""
        for trial_id in self._running:
            self.spending.heard(self._planned_trials[trial_id].key)
        return self.spending.over()

    def _left(self, searcher: OptunaSearcher) -> int:
        return 0 if searcher.reached() else searcher.left

    def planned(self, key: str) -> PlannedTrial:
        """The job behind a trial key that was suggested."""
        return next(
            searcher.planned_trials[key] for searcher in self.searchers if key in searcher.planned_trials
        )

    def stops(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Whether a running trial is to end after this report: the budget is spent, or its search's rule."""
        planned, epoch, value = self._planned_trials[trial_id], int(result["epoch"]), result.get(self.metric)
        if epoch >= planned.config.training.epochs:
            return False  # it ends by itself
        if self._spent(trial_id):
            return True
        return value is not None and self._early.stops(planned, epoch, float(value))

    def _spent(self, trial_id: str) -> bool:
        """Whether a running trial is to end now, because the budget is spent; :attr:`cut` says which."""
        reason = self._over() or self._owner[trial_id].reached()
        if reason:
            self.cut[self._planned_trials[trial_id].key] = reason
        return bool(reason)

    def ended(self) -> dict[str, str]:
        """Why each search is at its end, by its label; only those that are."""
        over = self._over()
        reasons = {
            searcher.space.label: searcher.reached() or searcher.exhausted() or over
            for searcher in self.searchers
        }
        return {label: reason for label, reason in reasons.items() if reason}

    def suggest(self, trial_id: str) -> Any:
        """A configuration; None while nothing is left but trials run; ``FINISHED`` after that."""
        if self._running and time.monotonic() < self._look_at:
            return None
        searcher = max(self.searchers, key=self._left)
        suggested = searcher.suggest(trial_id) if self._left(searcher) and not self._over() else None
        if suggested is None:
            self._look_at = time.monotonic() + LOOK_AGAIN_S
            return None if self._running else Searcher.FINISHED
        self._owner[trial_id] = searcher
        self._planned_trials[trial_id] = searcher.planned_of(trial_id)
        self._running.add(trial_id)
        return suggested

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Pass a report on to the arm the trial belongs to."""
        self._owner[trial_id].on_trial_result(trial_id, result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Pass the end of a trial on to its arm."""
        self.spending.heard(self._planned_trials[trial_id].key)
        self._running.discard(trial_id)
        cut_off = (
            self._planned_trials[trial_id].key in self.cut
        )  # to Optuna as if interrupted: it may go on later
        self._owner[trial_id].on_trial_complete(trial_id, result, error or cut_off)
