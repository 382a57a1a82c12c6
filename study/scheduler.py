"""Early stopping and the end of a budget as a Ray Tune scheduler; the resource is epochs."""

from __future__ import annotations

from typing import Any

from ray.tune.schedulers import FIFOScheduler

from study.interleaved import Interleaved
from study.stopping import Rule, make_rule


class EarlyStopping(FIFOScheduler):
    """Trials in the order in which they come; each search stops its own by its own rule.

    Epochs that the journal had before this launch are replayed by their trials and not judged again: a trial
    that once passed a rung has passed it.
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
        return str(self.STOP if rule.stops(job.key, epoch, float(value)) else self.CONTINUE)
