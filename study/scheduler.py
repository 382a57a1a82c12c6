"""Early stopping and the end of a budget as a Ray Tune scheduler; the resource is epochs."""

from __future__ import annotations

import time
from typing import Any

from ray.tune.schedulers import FIFOScheduler

from study.interleaved import Interleaved
from study.stopping import Rule, make_rule

IDLE_S = 3.0
"""Seconds that a process whose trial has ended, and the devices it holds, are kept for the next trial."""


class FreesIdle(FIFOScheduler):
    """Trials in the order in which they come; a process that has no next trial gives its devices back soon.

    Tune keeps one for as long as the search might suggest something: at the end of a budget, until the last
    trial has ended. Here it is let go after :data:`IDLE_S`.
    """

    _busy = float("inf")

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """The next trial, see Ray; called many times a second."""
        controller = tune_controller._tune_controller
        if not controller._actor_cache.num_cached_objects:
            self._busy = time.monotonic()
        elif time.monotonic() - self._busy > IDLE_S:
            controller._cleanup_cached_actors(force_all=True)
        return super().choose_trial_to_run(tune_controller)


class EarlyStopping(FreesIdle):
    """Trials in the order in which they come; each search stops its own by its own rule.

    Epochs are judged once: those that the journal had before this launch, or that a trial reports again
    because its process was lost, are passed over. A trial that once passed a rung has passed it.
    """

    def __init__(self, search: Interleaved) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._search = search
        self._rules: dict[str, Rule] = {}
        self._known: dict[str, int] = {}
        for arm in search.arms:
            rule = make_rule(arm.spec.search.stop, arm.spec.training.epochs)
            if rule is None:
                continue
            self._rules[arm.arm.label] = rule
            for record in arm.known:
                values = [metrics[search.metric] for metrics in record.history if search.metric in metrics]
                rule.learn(record.key, values)
                self._known[record.key] = len(values)

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Stop or continue, see Ray."""
        job = self._search.running(trial.trial_id)
        epoch, value = int(result["epoch"]), result.get(self._search.metric)
        if epoch >= job.config.training.epochs:
            return str(self.CONTINUE)  # it ends by itself
        if self._search.verdict(trial.trial_id):
            return str(self.STOP)
        rule = self._rules.get(job.arm)
        if rule is None or value is None or epoch <= self._known.get(job.key, 0):
            return str(self.CONTINUE)
        self._known[job.key] = epoch
        return str(self.STOP if rule.stops(job.key, epoch, float(value)) else self.CONTINUE)
