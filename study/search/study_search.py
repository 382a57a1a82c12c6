"""Runs several searches as one, so that all of them go on side by side."""

from __future__ import annotations

import time
from collections.abc import Mapping

from study.plan.trial import PlannedTrial
from study.search.budget import BudgetMeter
from study.search.early_stopping import StoppingRule, make_rule
from study.search.optuna_searcher import OptunaSearcher
from study.search.pareto_stopping import ParetoRule
from study.spec.rungs import halving, rungs, searched_training
from study.spec.search import ASHA

LOOK_AGAIN_S = 2.0
"""Seconds until a search that has nothing left looks again for trials enqueued by hand, while others run."""


def learned_fronts(searcher: OptunaSearcher) -> ParetoRule | None:
    """Make the rule of a search with several objectives, told the journal's trials; None for any other."""
    stop, objectives = searcher.spec.search.stop, searcher.objectives
    if len(objectives.names) == 1 or not isinstance(stop, ASHA):
        return None
    training = searched_training(searcher.spec)
    rule = ParetoRule(rungs(stop, training), halving(stop, training).reduction)
    for record in searcher.known:
        losses = [objectives.losses(metrics, record.pair) for metrics in record.history]
        rule.learn(record.key, [each for each in losses if each])
    return rule


class StudySearch:
    """Asks the search that has the most left, and says which running trials end early, and why.

    Epochs are judged once: those that the journal had before this launch, or that a trial reports again
    because its process was lost, are passed over. A trial that once passed a rung has passed it.

    Attributes:
        cut: why the budget ended trials before their last epoch, by key; Optuna hears of them as of
            interrupted ones, since a larger budget goes on with them.
    """

    def __init__(self, searchers: list[OptunaSearcher], spending: BudgetMeter) -> None:
        self.searchers = searchers
        self.metric = searchers[0].objectives.metric
        self.spending = spending
        self.cut: dict[str, str] = {}
        self._owners: dict[str, OptunaSearcher] = {}
        self._running: dict[str, PlannedTrial] = {}
        self._look_at = 0.0
        self._fronts = {s.space.label: front for s in searchers if (front := learned_fronts(s)) is not None}
        self._rules: dict[str, StoppingRule] = {}
        self._curves: dict[str, list[float]] = {}
        for searcher in searchers:
            training = searched_training(searcher.spec)
            if (rule := make_rule(searcher.spec.search.stop, training)) is not None:
                self._rules[searcher.space.label] = rule
                for record in searcher.known:
                    self._curves[record.key] = record.history.measured(self.metric)
                    rule.learn(record.key, self._curves[record.key])

    def left(self) -> int:
        """Count the trials that are still to be asked for."""
        return 0 if self._over() else sum(self._left(searcher) for searcher in self.searchers)

    def used(self) -> int:
        """Count the trials that are charged to the budget, over all searches."""
        return sum(searcher.used() for searcher in self.searchers)

    def ask(self, trial_id: str) -> PlannedTrial | None:
        """Draw the next trial; None while, or once, there is none."""
        if self._running and time.monotonic() < self._look_at:
            return None
        searcher = max(self.searchers, key=self._left)
        planned = searcher.ask(trial_id) if self._left(searcher) and not self._over() else None
        if planned is None:
            self._look_at = time.monotonic() + LOOK_AGAIN_S
            return None
        self._owners[trial_id], self._running[trial_id] = searcher, planned
        return planned

    def stops(self, trial_id: str, metrics: Mapping[str, float]) -> bool:
        """Decide whether a running trial ends after this report, by the budget or by its search's rule."""
        planned, epoch = self._running[trial_id], int(metrics["epoch"])
        if epoch >= planned.config.training.epochs:
            return False  # it ends by itself
        if spent := self._over() or self._owners[trial_id].reached():
            self.cut[planned.key] = spent
            return True
        if (front := self._fronts.get(planned.search)) is not None:
            losses = self._owners[trial_id].objectives.losses(metrics, planned.pair)
            return bool(losses) and front.stops(planned.key, epoch, losses)
        rule, value = self._rules.get(planned.search), metrics.get(self.metric)
        values = self._curves.setdefault(planned.key, [])
        if rule is None or value is None or epoch <= len(values):
            return False
        values.append(float(value))
        return rule.stops(planned.key, values)

    def tell(self, trial_id: str, metrics: Mapping[str, float] | None, failed: bool = False) -> None:
        """Hand the end of a trial to its search, see :meth:`OptunaSearcher.tell`."""
        planned, owner = self._running.pop(trial_id), self._owners.pop(trial_id)
        self.spending.heard(planned.key)
        owner.tell(trial_id, metrics, failed or planned.key in self.cut)

    def ended(self) -> dict[str, str]:
        """Say why each search is at its end, by its label; only those that are."""
        over = self._over()
        reasons = {
            searcher.space.label: searcher.reached() or searcher.exhausted() or over
            for searcher in self.searchers
        }
        return {label: reason for label, reason in reasons.items() if reason}

    def _over(self) -> str | None:
        """Say why all searches are to end, by the time that their trials took until now."""
        for planned in self._running.values():
            self.spending.heard(planned.key)
        return self.spending.over()

    def _left(self, searcher: OptunaSearcher) -> int:
        return 0 if searcher.reached() else searcher.left()
