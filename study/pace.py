"""How much of a study is left, and how long that takes: a guess from epochs and speed."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from study.describe import most_confirm_trials
from study.plan import Plan

SPEED_WINDOW_S = 60.0
FEWEST = 10


@dataclass(frozen=True, slots=True)
class Expected:
    """What a study consists of, so far as can be told beforehand.

    Attributes:
        epochs: of a whole trial of each stage.
        trials: of each stage.
    """

    epochs: Mapping[str, int]
    trials: Mapping[str, int]

    @classmethod
    def of(cls, plan: Plan) -> Expected:
        """Of a plan none of which is done."""
        spec = plan.spec
        epochs = spec.training.epochs
        trained = any(pair.weights is None for pair in spec.pairs)
        teachers = (spec.teacher_training or spec.training).epochs if trained else 1
        return cls(
            epochs={"teachers": teachers, "search": epochs, "confirm": epochs},
            trials={
                "teachers": len({(pair.teacher, pair.weights) for pair in spec.pairs}),
                "search": spec.budget.trials * len(plan.arms),
                "confirm": most_confirm_trials(plan),
            },
        )


def epochs_left(
    expected: Expected, left: Mapping[str, int], stage: str, usual: float | None, running: int
) -> float:
    """Epochs still to come.

    Args:
        left: trials of each stage that have not ended.
        stage: the present one; ``usual`` epochs are what its trials took so far, where early stopping makes
            that fewer than a whole trial's.
        running: epochs that running trials have behind them.
    """
    todo = 0.0
    for name, trials in left.items():
        whole = expected.epochs.get(name, 1)
        todo += trials * (min(usual, whole) if usual and name == stage else whole)
    return max(todo - running, 0.0)


def recent(arrivals: Sequence[float], now: float) -> Sequence[float]:
    """Those reports, in order, by which to tell the speed: of the last minute, or more where it has few."""
    return arrivals[min(bisect(arrivals, now - SPEED_WINDOW_S), max(len(arrivals) - FEWEST, 0)) :]


def speed(arrivals: Sequence[float], now: float) -> float:
    """Epochs a second of all trials together, from when reports arrived."""
    counted = recent(arrivals, now)
    return len(counted) / max(now - counted[0], 1.0) if len(counted) > 1 else 0.0
