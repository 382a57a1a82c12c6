"""Schedules trials by rules that may leave one and go on with it later, which a stopping rule cannot."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from study.journal.curves import Floats


class Pasha:
    """Runs PASHA (Bohdal 2023): successive halving by promotion whose longest training grows when needed.

    A trial waits at each rung until it is among the best 1/reduction there. At first only two rungs are in
    use; a further one is, once the order of the trials at the top two rungs is not the same, trials nearer to
    each other than epsilon counted as equal. epsilon is what trials that swap their order differ by at most,
    its 90th percentile, as the paper estimates noise. The best at the top goes on to the end, as one that is
    retrained would.

    >>> from study.simulation.replay import replay
    >>> curves = np.array([[5.0, 6.0, 7.0], [8.0, 9.0, 9.5], [1.0, 2.0, 3.0]])
    >>> replay(curves, Pasha(curves, order=range(3))).epochs
    array([1, 3, 1])
    """

    def __init__(self, curves: Floats, order: Sequence[int], grace: int = 1, reduction: int = 3) -> None:
        self._curves, self._left, self._reduction = curves, iter(order), reduction
        length = curves.shape[1]
        self._rungs = [grace * reduction**k for k in range(32) if grace * reduction**k < length] + [length]
        self._top = min(1, len(self._rungs) - 1)
        self._reached: list[dict[int, float]] = [{} for _ in self._rungs]
        self._promoted: list[set[int]] = [set() for _ in self._rungs]
        self._running = 0
        self._last: int | None = None

    def assign(self) -> tuple[int, int] | None:
        """Return a configuration and the epoch up to which a free worker trains it; None where none waits."""
        for rung in range(self._top - 1, -1, -1):
            values = self._reached[rung]
            best = sorted(values, key=lambda trial: -values[trial])[: len(values) // self._reduction]
            free = next((trial for trial in best if trial not in self._promoted[rung]), None)
            if free is not None:
                self._promoted[rung].add(free)
                return self._begin(free, self._rungs[rung + 1])
        trial = next(self._left, None)
        if trial is not None:
            return self._begin(int(trial), self._rungs[0])
        if self._running or self._last is not None:
            return None
        rung = max(number for number, values in enumerate(self._reached) if values)
        self._last = max(self._reached[rung], key=lambda trial: self._reached[rung][trial])
        return self._begin(self._last, self._rungs[-1]) if self._rungs[rung] < self._rungs[-1] else None

    def reached(self, trial: int, epoch: int) -> int | None:
        """Take in that a trial is at ``epoch``; return the epoch it goes on to, None where it stays there."""
        self._running -= 1
        rung = self._rungs.index(epoch)
        self._reached[rung][trial] = float(self._curves[trial, epoch - 1])
        if rung == self._top and self._top < len(self._rungs) - 1 and self._order_differs():
            self._top += 1
        return None

    def _begin(self, trial: int, until: int) -> tuple[int, int]:
        self._running += 1
        return trial, until

    def _order_differs(self) -> bool:
        """Tell whether the top rung orders its trials otherwise than the one below, noise left aside."""
        trials = list(self._reached[self._top])
        if len(trials) < 2:
            return False
        below = np.array([self._reached[self._top - 1][trial] for trial in trials])
        above = np.array([self._reached[self._top][trial] for trial in trials])
        noise = self._epsilon(trials)
        apart = np.abs(below[np.argsort(-above)] - np.sort(below)[::-1])
        return bool((apart > noise).any())

    def _epsilon(self, trials: Sequence[int]) -> float:
        """Return the 90th percentile of the distance of pairs that swap their order from epoch to epoch."""
        curves = self._curves[trials, : self._rungs[self._top]]
        first, second = np.triu_indices(len(trials), 1)
        apart = curves[first] - curves[second]
        swaps = (np.sign(apart[:, 1:]) * np.sign(apart[:, :-1]) < 0).sum(axis=1) >= 2
        return float(np.percentile(np.abs(apart[swaps, -1]), 90)) if swaps.any() else 0.0


class BestAfter:
    """Trains every configuration for ``epochs``, and then the best of them to the end.

    >>> from study.simulation.replay import replay
    >>> curves = np.array([[5.0, 6.0, 7.0], [8.0, 9.0, 9.5], [1.0, 2.0, 3.0]])
    >>> replay(curves, BestAfter(curves, order=range(3))).epochs
    array([1, 3, 1])
    """

    def __init__(self, curves: Floats, order: Sequence[int], epochs: int = 1) -> None:
        self._curves, self._left, self._epochs = curves, iter(order), epochs
        self._at: dict[int, float] = {}
        self._running, self._done = 0, False

    def assign(self) -> tuple[int, int] | None:
        """Return a configuration and the epoch up to which a free worker trains it; None where none waits."""
        trial = next(self._left, None)
        if trial is not None:
            self._running += 1
            return int(trial), self._epochs
        if self._running or self._done:
            return None
        self._done = True
        return max(self._at, key=lambda trial: self._at[trial]), self._curves.shape[1]

    def reached(self, trial: int, epoch: int) -> int | None:
        """Take in that a trial is at ``epoch``; return the epoch it goes on to, None where it stays there."""
        if epoch == self._epochs:
            self._running -= 1
            self._at[trial] = float(self._curves[trial, epoch - 1])
        return None
