"""Decides on arrays what Optuna's pruners decide, as a test compares, without their storage.

A trial is complete for them once it is at its last epoch; then it is learnt whole.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from itertools import accumulate

import numpy as np

from study.journal.curves import Floats
from study.simulation.replay import replay_row
from study.simulation.signed_rank import SignedRankTests


class PercentileRule:
    """Prunes like ``optuna.pruners.PercentilePruner``; at 50 percent like ``MedianPruner``.

    A trial stops when its best value is below that percentile of the complete trials' values at its epoch.

    >>> rule = PercentileRule(epochs=2, percentile=50, startup=2)
    >>> rule.learn("a", [50.0, 60.0])
    >>> rule.learn("b", [54.0, 58.0])
    >>> rule.stops("c", [51.0]), rule.stops("d", [53.0])
    (True, False)

    Args:
        percentile: of the trials that are kept; Optuna's median pruner has 50.
        startup: complete trials before the first is pruned.
    """

    def __init__(self, epochs: int, percentile: float = 25.0, startup: int = 5) -> None:
        self.judged: Collection[int] = range(1, epochs)
        self._epochs, self._cut, self._startup = epochs, 100 - percentile, startup
        self._complete: list[Sequence[float]] = []
        self._bounds: Floats = np.full(epochs, -np.inf)

    def learn(self, key: str, values: Sequence[float]) -> None:
        """Take in a trial; only a whole one counts."""
        if len(values) == self._epochs:
            self._complete.append(values)
            if len(self._complete) >= self._startup:
                self._bounds = np.percentile(np.array(self._complete), self._cut, axis=0)

    def stops(self, key: str, values: Sequence[float]) -> bool:
        """Tell whether the trial that has these values so far is to stop."""
        return max(values) < float(self._bounds[len(values) - 1])


class WilcoxonRule:
    """Prunes like ``optuna.pruners.WilcoxonPruner``: a signed-rank test against the best complete trial.

    Its steps are meant to be folds or instances, in any order; here they are epochs, as a user of Optuna's
    gives it who reports epochs.

    >>> curves = np.array([[50.0, 60.0, 65.0, 68.0, 70.0], [40.0, 50.0, 55.0, 58.0, 60.0]])
    >>> rule = WilcoxonRule(SignedRankTests(curves, threshold=0.1))
    >>> from study.simulation.replay import replay_key
    >>> rule.learn(replay_key(0, 0), curves[0])
    >>> [rule.stops(replay_key(0, 1), curves[1][:epoch]) for epoch in (2, 4)]
    [False, True]

    Args:
        tests: of the curves that are replayed; replays share them, since they test the same ones.
    """

    def __init__(self, tests: SignedRankTests) -> None:
        self._tests, self._epochs = tests, tests.curves.shape[1]
        self.judged: Collection[int] = range(2, self._epochs)
        self._best: int | None = None

    def learn(self, key: str, values: Sequence[float]) -> None:
        """Take in a trial; the best whole one is what others are compared with."""
        finals, row = self._tests.curves[:, -1], replay_row(key)
        if len(values) == self._epochs and (self._best is None or finals[row] > finals[self._best]):
            self._best = row

    def stops(self, key: str, values: Sequence[float]) -> bool:
        """Tell whether the trial that has these values so far is to stop."""
        if self._best is None:
            return False
        row, epoch = replay_row(key), len(values) - 1
        if self._tests.means[self._best, -1] <= self._tests.means[row, epoch]:
            return False  # the best is no better than this on the whole: it may go on
        return bool(self._tests.below(row, self._best)[epoch])


class SuccessiveHalvingRule:
    """Prunes like ``optuna.pruners.HyperbandPruner`` with its defaults: brackets of successive halving.

    A trial at a rung stops unless it is among the best 1/reduction of those that came there. The bracket is a
    draw by the trial's key; Optuna's is one by the study's name and the trial's number. Optuna knows the
    length of a trial after the first complete one, and prunes nothing before; that one is learnt here.

    >>> rule = SuccessiveHalvingRule(epochs=3)
    >>> rule.learn("00000000a", [50.0, 60.0, 65.0])
    >>> rule.stops("00000000b", [52.0]), rule.stops("00000000c", [51.0])
    (False, True)
    """

    def __init__(self, epochs: int, reduction: int = 3) -> None:
        self._reduction, self._epochs = reduction, epochs
        count = math.floor(math.log(epochs, reduction)) + 1
        left = [count - 1 - number for number in range(count)]
        sizes = [math.ceil(count * reduction**s / (s + 1)) for s in left]
        self._ends = [end / sum(sizes) for end in accumulate(sizes)]
        self._rungs = [reduction**number for number in range(count) if reduction**number < epochs]
        self.judged: Collection[int] = set(self._rungs)
        self._reached: dict[tuple[int, int], list[float]] = {}
        self._known = False

    def learn(self, key: str, values: Sequence[float]) -> None:
        """Take in a whole trial; from the first on the length is known."""
        self._known = self._known or len(values) == self._epochs

    def stops(self, key: str, values: Sequence[float]) -> bool:
        """Tell whether the trial that has these values so far is to stop."""
        draw = int(key[:8], 16) / 16**8
        bracket = next((n for n, end in enumerate(self._ends) if draw < end), len(self._ends) - 1)
        epoch = len(values)
        if not self._known or epoch < self._reduction**bracket:
            return False
        reached = self._reached.setdefault((bracket, epoch), [])
        reached.append(values[-1])
        best = sorted(reached, reverse=True)[max(0, len(reached) // self._reduction - 1)]
        return values[-1] < best
