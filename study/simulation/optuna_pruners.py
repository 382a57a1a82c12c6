"""Decides on arrays what Optuna's pruners decide, as a test compares, without their storage.

A trial is complete for them once it is at its last epoch; then it is learnt whole.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Collection, Sequence
from itertools import accumulate

import numpy as np

from study.journal.curves import Floats


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

    >>> rule = WilcoxonRule(epochs=5, known={})
    >>> rule.learn("a", [50.0, 60.0, 65.0, 68.0, 70.0])
    >>> rule.stops("b", [40.0, 50.0]), rule.stops("b", [40.0, 50.0, 55.0, 58.0])
    (False, True)

    Args:
        known: p by the differences tested; kept between replays, which test the same ones again and again.
    """

    def __init__(self, epochs: int, known: dict[bytes, float], threshold: float = 0.1) -> None:
        self.judged: Collection[int] = range(2, epochs)
        self._epochs, self._known, self._threshold = epochs, known, threshold
        self._best: Floats | None = None

    def learn(self, key: str, values: Sequence[float]) -> None:
        """Take in a trial; the best whole one is what others are compared with."""
        if len(values) == self._epochs and (self._best is None or values[-1] > self._best[-1]):
            self._best = np.array(values)

    def stops(self, key: str, values: Sequence[float]) -> bool:
        """Tell whether the trial that has these values so far is to stop."""
        if self._best is None:
            return False
        here = np.array(values)
        if self._best.mean() <= here.mean():  # the best is no better than this on the whole: it may go on
            return False
        differences = here - self._best[: len(values)]
        name = hashlib.blake2b(differences.tobytes(), digest_size=16).digest()
        if name not in self._known:
            self._known[name] = signed_rank_p(differences)
        return self._known[name] < self._threshold


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


def signed_rank_p(differences: Floats) -> float:
    """Return p of Wilcoxon's one-sided signed-rank test that the differences lie below 0; zeros are split.

    As ``scipy.stats.wilcoxon(..., alternative="less", zero_method="zsplit")``, which takes milliseconds a
    call: by the exact distribution of the ranks for few differences, by the normal one for many.

    >>> signed_rank_p(np.array([-1.0, -2.0, -3.0]))
    0.125
    """
    n, (_, place, count) = (
        len(differences),
        np.unique(np.abs(differences), return_inverse=True, return_counts=True),
    )
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    zero = differences == 0
    above = float(ranks[differences > 0].sum() + ranks[zero].sum() / 2)
    plain = len(count) == n and not zero.any()
    if n <= 13 or (n <= 50 and plain):
        chances = np.ones(1)
        for rank in np.rint(2 * ranks[~zero]).astype(int):
            chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
        return float(chances[: round(2 * above - ranks[zero].sum()) + 1].sum())
    variance = n * (n + 1) * (2 * n + 1) / 24 - float((count**3 - count).sum()) / 48
    return 0.5 * math.erfc((n * (n + 1) / 4 - above) / math.sqrt(2 * variance))
