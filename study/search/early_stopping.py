"""Which running trials of a search end early, by the rule of their search; the resource is epochs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from statistics import median
from typing import Protocol

import numpy as np

from study.search.optuna_searcher import OptunaSearcher
from study.spec.search import ASHA, HyperBand, Median


class StoppingRule(Protocol):
    """Stops trials of one search; the values go up."""

    def learn(self, key: str, values: Sequence[float]) -> None:
        """Take in what a trial had after epochs 1, 2, ..., without judging it."""

    def stops(self, key: str, epoch: int, value: float) -> bool:
        """Whether the trial that has just reported ``value`` after ``epoch`` is to stop."""


class AshaRule:
    """Asynchronous successive halving (Li 2020), see :class:`study.spec.search.ASHA`.

    At a rung a trial goes on when it is at least at the (1 - 1/reduction) quantile of those that came there
    before it; the first one always does.
    """

    def __init__(self, grace: int, reduction: int, epochs: int) -> None:
        self._quantile = 1 - 1 / reduction
        self._rungs: dict[int, dict[str, float]] = {}
        while grace < epochs:
            self._rungs[grace] = {}
            grace *= reduction

    def learn(self, key: str, values: Sequence[float]) -> None:
        """Take in what a trial had after epochs 1, 2, ..., without judging it."""
        for epoch, reached in self._rungs.items():
            if epoch <= len(values):
                reached[key] = values[epoch - 1]

    def stops(self, key: str, epoch: int, value: float) -> bool:
        """Tell whether the trial that has just reported ``value`` after ``epoch`` is to stop."""
        reached = self._rungs.get(epoch)
        if reached is None:
            return False
        others = [other for name, other in reached.items() if name != key]
        reached[key] = value
        return bool(others) and value < float(np.quantile(others, self._quantile))


class HyperBandRule:
    """Asynchronous HyperBand (Li 2020), see :class:`study.spec.search.HyperBand`.

    A bracket with k rungs gets trials in proportion to reduction^k / (k + 1), HyperBand's sizes (Li 2018).
    """

    def __init__(self, stop: HyperBand, epochs: int) -> None:
        starts = [stop.grace * stop.reduction**number for number in range(stop.brackets)]
        self._brackets = [AshaRule(start, stop.reduction, epochs) for start in starts]
        counts = [len(bracket._rungs) for bracket in self._brackets]
        sizes = [stop.reduction**count / (count + 1) for count in counts]
        self._ends = [end / sum(sizes) for end in accumulate(sizes)]

    def learn(self, key: str, values: Sequence[float]) -> None:
        """Take in what a trial had after epochs 1, 2, ..., without judging it."""
        self._of(key).learn(key, values)

    def stops(self, key: str, epoch: int, value: float) -> bool:
        """Tell whether the trial that has just reported ``value`` after ``epoch`` is to stop."""
        return self._of(key).stops(key, epoch, value)

    def _of(self, key: str) -> AshaRule:
        """The bracket of a trial: a draw that its key decides, the same in every launch."""
        draw = int(key[:8], 16) / 16**8
        return self._brackets[next((n for n, end in enumerate(self._ends) if draw < end), -1)]


class MedianRule:
    """Stops a trial whose best value is below the median of the others' averages up to that epoch.

    Golovin 2017 (Vizier); averages begin at the epoch ``grace``.
    """

    def __init__(self, stop: Median) -> None:
        self._stop = stop
        self._best: dict[str, float] = {}
        self._sums: dict[str, list[float]] = {}

    def learn(self, key: str, values: Sequence[float]) -> None:
        """Take in what a trial had after epochs 1, 2, ..., without judging it."""
        for epoch, value in enumerate(values, 1):
            self._take(key, epoch, value)

    def stops(self, key: str, epoch: int, value: float) -> bool:
        """Tell whether the trial that has just reported ``value`` after ``epoch`` is to stop."""
        self._take(key, epoch, value)
        if epoch < self._stop.grace:
            return False
        count = epoch - self._stop.grace + 1
        sums = [of for name, of in self._sums.items() if name != key and len(of) >= count]
        averages = [of[count - 1] / count for of in sums]
        return len(averages) >= self._stop.min_trials and self._best[key] < median(averages)

    def _take(self, key: str, epoch: int, value: float) -> None:
        self._best[key] = max(value, self._best.get(key, value))
        sums = self._sums.setdefault(key, [])
        if epoch >= self._stop.grace:
            sums.append(value + (sums[-1] if sums else 0.0))


def make_rule(stop: ASHA | HyperBand | Median | None, epochs: int) -> StoppingRule | None:
    """Make the rule of a spec for trials of so many epochs; None where no trial is stopped."""
    if isinstance(stop, ASHA):
        return AshaRule(min(stop.grace, epochs), stop.reduction, epochs)
    if isinstance(stop, HyperBand):
        return HyperBandRule(stop, epochs)
    return None if stop is None else MedianRule(stop)


def learned_rule(searcher: OptunaSearcher) -> StoppingRule | None:
    """Make the rule of a search, which has learned from all that the journal knows of it."""
    rule = make_rule(searcher.spec.search.stop, searcher.spec.training.epochs)
    if rule is not None:
        for record in searcher.known:
            rule.learn(record.key, record.history.measured(searcher.objectives.metric))
    return rule
