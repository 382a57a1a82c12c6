"""Stops trials of a search early; each rule is a pure function of learning curves, which go up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import accumulate
from statistics import median
from typing import Protocol

import numpy as np

from study.spec.rungs import Rung, brackets, halving, rungs
from study.spec.search import ASHA, HyperBand, Median
from study.spec.training import closed
from trainables.config.training import Training


class StoppingRule(Protocol):
    """Decides which trials of one search stop, from the value of each after each of its epochs.

    Attributes:
        judged: epochs after which it may stop a trial; after others it need not be asked.
    """

    @property
    def judged(self) -> Collection[int]: ...

    def learn(self, key: str, values: Sequence[float]) -> None:
        """Take in what trial ``key`` had after epochs 1, 2, ..., without judging it."""

    def stops(self, key: str, values: Sequence[float]) -> bool:
        """Tell whether the trial that has these values so far is to stop, after ``len(values)`` epochs."""


class AshaRule:
    """Stops by asynchronous successive halving (Li 2020), see :class:`study.spec.search.ASHA`.

    At a rung a trial goes on when it is at least at the (1 - 1/reduction) quantile of those that came there
    before it; the first one always does.

    >>> rule = AshaRule([Rung(epoch=2, since=0)], reduction=2)
    >>> rule.stops("first", [40.0, 40.0]), rule.stops("worse", [20.0, 30.0])
    (False, True)
    >>> rule.stops("better", [50.0, 60.0])
    False
    """

    def __init__(self, rungs: Sequence[Rung], reduction: int) -> None:
        self._quantile = 1 - 1 / reduction
        self._rungs = {rung.epoch: rung for rung in rungs}
        self._reached: dict[int, dict[str, float]] = {rung.epoch: {} for rung in rungs}

    @property
    def judged(self) -> Collection[int]:
        """Return the epochs after which a trial may be stopped."""
        return self._rungs.keys()

    def learn(self, key: str, values: Sequence[float]) -> None:
        """Take in what a trial had after epochs 1, 2, ..., without judging it."""
        for epoch, rung in self._rungs.items():
            if epoch <= len(values):
                self._reached[epoch][key] = rung.value(values)

    def stops(self, key: str, values: Sequence[float]) -> bool:
        """Tell whether the trial that has these values so far is to stop."""
        rung = self._rungs.get(len(values))
        if rung is None:
            return False
        reached = self._reached[rung.epoch]
        others = [other for name, other in reached.items() if name != key]
        reached[key] = rung.value(values)
        return bool(others) and reached[key] < float(np.quantile(others, self._quantile))


class HyperBandRule:
    """Stops by asynchronous HyperBand (Li 2020), see :class:`study.spec.search.HyperBand`.

    A bracket with k rungs gets trials in proportion to reduction^k / (k + 1), HyperBand's sizes (Li 2018).

    >>> training = Training(epochs=240, milestones=(150, 180, 210))
    >>> sorted(HyperBandRule(HyperBand(grace=10, reduction=3, brackets=2), training).judged)
    [10, 30, 90]
    """

    def __init__(self, stop: HyperBand, training: Training) -> None:
        self._brackets = [make_asha(each, training) for each in brackets(stop)]
        sizes = [
            stop.reduction ** len(bracket.judged) / (len(bracket.judged) + 1) for bracket in self._brackets
        ]
        self._ends = [end / sum(sizes) for end in accumulate(sizes)]

    @property
    def judged(self) -> Collection[int]:
        """Return the epochs after which a trial may be stopped."""
        return {epoch for bracket in self._brackets for epoch in bracket.judged}

    def learn(self, key: str, values: Sequence[float]) -> None:
        """Take in what a trial had after epochs 1, 2, ..., without judging it."""
        self._of(key).learn(key, values)

    def stops(self, key: str, values: Sequence[float]) -> bool:
        """Tell whether the trial that has these values so far is to stop."""
        return self._of(key).stops(key, values)

    def _of(self, key: str) -> AshaRule:
        """Return the bracket of a trial: a draw that its key decides, the same in every launch."""
        draw = int(key[:8], 16) / 16**8
        return self._brackets[next((n for n, end in enumerate(self._ends) if draw < end), -1)]


class MedianRule:
    """Stops a trial whose best value is below the median of the others' averages up to that epoch.

    Golovin 2017 (Vizier); averages begin at the epoch ``grace``.

    >>> rule = MedianRule(Median(grace=1, min_trials=2), epochs=240)
    >>> for key, value in {"first": 40.0, "second": 50.0}.items():
    ...     rule.learn(key, [value])
    >>> rule.stops("third", [30.0]), rule.stops("fourth", [60.0])
    (True, False)
    """

    def __init__(self, stop: Median, epochs: int) -> None:
        self._stop = stop
        self.judged: Collection[int] = range(stop.grace, epochs)
        self._averages: dict[str, Sequence[float]] = {}

    def learn(self, key: str, values: Sequence[float]) -> None:
        """Take in what a trial had after epochs 1, 2, ..., without judging it."""
        sums = np.cumsum(values[self._stop.grace - 1 :])
        self._averages[key] = (sums / np.arange(1, len(sums) + 1)).tolist()

    def stops(self, key: str, values: Sequence[float]) -> bool:
        """Tell whether the trial that has these values so far is to stop."""
        self.learn(key, values)
        at = len(values) - self._stop.grace
        if at < 0:
            return False
        averages = [of[at] for name, of in self._averages.items() if name != key and len(of) > at]
        return len(averages) >= self._stop.min_trials and max(values) < median(averages)


def make_asha(stop: ASHA, training: Training) -> AshaRule:
    """Return the rule of an ``ASHA`` for trials that train so."""
    return AshaRule(rungs(stop, training), halving(stop, training).reduction)


def make_rule(stop: ASHA | HyperBand | Median | None, training: Training) -> StoppingRule | None:
    """Return the rule of a spec for trials that train so; None where no trial is stopped.

    Args:
        training: as the study has it, with its domains, see :func:`study.spec.rungs.searched_training`.
    """
    if isinstance(stop, ASHA):
        return make_asha(stop, training)
    if isinstance(stop, HyperBand):
        return HyperBandRule(stop, training)
    return None if stop is None else MedianRule(stop, closed(training).epochs)
