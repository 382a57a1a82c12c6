"""Guesses how much of a study is left, and how long that takes, from epochs and speed."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence

from study.plan.expected import ExpectedTrials

SPEED_WINDOW_S = 60.0
FEWEST = 10
TEACHERS = "teachers"


def left_of(stage: str) -> str:
    """Name what the epochs left are of: in the stage of teachers these alone, afterwards the study.

    >>> left_of("teachers"), left_of("search")
    ('left of the teachers', 'left')
    """
    return "left of the teachers" if stage == TEACHERS else "left"


def epochs_left(
    expected: ExpectedTrials, left: Mapping[str, int], stage: str, usual: float | None, running: int
) -> float:
    """Count the epochs still to come of the networks that train now.

    While teachers train those are theirs alone: a student's epoch may take a tenth of a teacher's.

    >>> expected = ExpectedTrials(epochs={"search": 240}, trials={"search": 10})
    >>> epochs_left(expected, {"search": 2}, "search", usual=60.0, running=20)
    100.0
    >>> epochs_left(expected, {"teachers": 1, "search": 2}, "teachers", usual=None, running=0)
    1.0

    Args:
        left: trials of each stage that have not ended.
        stage: the present one; ``usual`` epochs are what its trials took so far, where early stopping makes
            that fewer than a whole trial's.
        running: epochs that running trials have behind them.
    """
    todo = 0.0
    for name, trials in left.items():
        if (name == TEACHERS) != (stage == TEACHERS):
            continue
        whole = expected.epochs.get(name, 1)
        todo += trials * (min(usual, whole) if usual and name == stage else whole)
    return max(todo - running, 0.0)


def recent(arrivals: Sequence[float], now: float) -> Sequence[float]:
    """Select the reports, in order, that tell the speed: of the last minute, or more where it has few."""
    return arrivals[min(bisect(arrivals, now - SPEED_WINDOW_S), max(len(arrivals) - FEWEST, 0)) :]


def speed(arrivals: Sequence[float], now: float) -> float:
    """Return the epochs a second of all trials together, from when reports arrived; 0 before the second.

    >>> speed([0.0, 2.0, 4.0, 6.0], now=8.0)
    0.5
    """
    counted = recent(arrivals, now)
    return len(counted) / max(now - counted[0], 1.0) if len(counted) > 1 else 0.0
