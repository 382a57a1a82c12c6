"""Replays known curves as if they were trained again in another order and under another rule."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from study.journal.curves import Floats
from study.search.early_stopping import StoppingRule


class ReplayScheduler(Protocol):
    """Decides which configuration is trained next, and how far; configurations are rows of the curves."""

    def assign(self) -> tuple[int, int] | None:
        """Return a configuration and the epoch up to which a free worker trains it; None where none waits."""

    def reached(self, trial: int, epoch: int) -> int | None:
        """Take in that a trial is at ``epoch``; return the epoch it goes on to, None where it stays there."""


@dataclass(frozen=True, slots=True)
class Replay:
    """Holds what one replay spent: the epochs each configuration was trained, 0 where it was not begun."""

    epochs: NDArray[np.int64]

    def found(self, curves: Floats) -> int:
        """Return the configuration that a study would confirm: the highest last value, whole trials first.

        >>> curves = np.array([[5.0, 6.0], [1.0, 9.0], [8.0, 7.0]])
        >>> Replay(np.array([2, 1, 2])).found(curves)
        2
        """
        whole = self.epochs == curves.shape[1]
        among = whole if whole.any() else self.epochs > 0
        last = curves[np.arange(len(curves)), np.maximum(self.epochs, 1) - 1]
        return int(np.argmax(np.where(among, last, -np.inf)))


def replay(
    curves: Floats, scheduler: ReplayScheduler, workers: int = 1, budget: float = float("inf")
) -> Replay:
    """Replay what ``scheduler`` says on ``workers``; an epoch takes the same time of each configuration.

    Args:
        curves: [configurations, epochs], read by the scheduler alone.
        budget: epochs of all configurations together after which none is begun, or gone on with.
    """
    epochs = np.zeros(len(curves), dtype=np.int64)
    running: list[tuple[int, int, int]] = []
    free, spent, now, number = workers, 0, 0, 0
    while True:
        while free and spent < budget and (job := scheduler.assign()) is not None:
            trial, until = job
            more = until - int(epochs[trial])
            heapq.heappush(running, (now + more, number, trial))
            epochs[trial], spent, number, free = until, spent + more, number + 1, free - 1
        if not running:
            return Replay(epochs)
        now, _, trial = heapq.heappop(running)
        further = scheduler.reached(trial, int(epochs[trial]))
        if further is None or spent >= budget:
            free += 1
            continue
        more = further - int(epochs[trial])
        heapq.heappush(running, (now + more, number, trial))
        epochs[trial], spent, number = further, spent + more, number + 1


def replay_key(draw: int, row: int) -> str:
    """Return the key by which a rule knows a configuration: a draw of this replay, and its row in the curves.

    >>> replay_key(255, 7)
    '000000ff7'
    """
    return f"{draw:08x}{row}"


def replay_row(key: str) -> int:
    """Return the row of the configuration of a :func:`replay_key`."""
    return int(key[8:])


class StopEarly:
    """Begins configurations in a given order and trains each to its end, or until a rule stops it.

    >>> curves = np.array([[5.0, 6.0], [1.0, 9.0]])
    >>> replay(curves, StopEarly(None, curves, order=[1, 0], keys=["a", "b"]), budget=2).epochs
    array([0, 2])

    Args:
        rule: as a study's search has it; None stops nothing.
        order: may be one that is asked for the next when a worker is free.
        keys: what the rule knows the configurations by.
        tell: hears of a trial that has ended, with its last value and whether it is whole.
    """

    def __init__(
        self,
        rule: StoppingRule | None,
        curves: Floats,
        order: Iterable[int],
        keys: Sequence[str],
        tell: Callable[[int, float, bool], None] = lambda trial, value, whole: None,
    ) -> None:
        self._rule, self._curves, self._keys, self._tell = rule, curves.tolist(), keys, tell
        self._left = iter(order)
        self._length = curves.shape[1]
        judged = sorted(epoch for epoch in (rule.judged if rule else ()) if 0 < epoch < self._length)
        self._next: dict[int, int] = dict(zip([0, *judged], [*judged, self._length], strict=True))

    def assign(self) -> tuple[int, int] | None:
        """Return a configuration and the epoch up to which a free worker trains it; None where none waits."""
        trial = next(self._left, None)
        return None if trial is None else (int(trial), self._next[0])

    def reached(self, trial: int, epoch: int) -> int | None:
        """Take in that a trial is at ``epoch``; return the epoch it goes on to, None where it stops there."""
        values = self._curves[trial][:epoch]
        whole = epoch == self._length
        if whole and self._rule is not None:
            self._rule.learn(self._keys[trial], values)
        if whole or (self._rule is not None and self._rule.stops(self._keys[trial], values)):
            self._tell(trial, values[-1], whole)
            return None
        return self._next[epoch]
