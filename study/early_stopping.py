"""Which running trials of a search end early, by the rule of their search; the resource is epochs."""

from __future__ import annotations

from collections.abc import Sequence

from study.plan import Job
from study.searcher import ArmSearch
from study.stopping import Rule, make_rule


class EarlyStopping:
    """The rules of several searches, each for its own trials.

    Epochs are judged once: those that the journal had before this launch, or that a trial reports again
    because its process was lost, are passed over. A trial that once passed a rung has passed it.
    """

    def __init__(self, arms: Sequence[ArmSearch]) -> None:
        self._rules: dict[str, Rule] = {}
        self._known: dict[str, int] = {}
        for arm in arms:
            rule = make_rule(arm.spec.search.stop, arm.spec.training.epochs)
            if rule is None:
                continue
            self._rules[arm.arm.label] = rule
            for record in arm.known:
                values = record.history.measured(arm.objectives.metric)
                rule.learn(record.key, values)
                self._known[record.key] = len(values)

    def stops(self, job: Job, epoch: int, value: float) -> bool:
        """Whether a trial that reports ``value`` after ``epoch`` is to end."""
        rule = self._rules.get(job.arm)
        if rule is None or epoch <= self._known.get(job.key, 0):
            return False
        self._known[job.key] = epoch
        return rule.stops(job.key, epoch, value)
