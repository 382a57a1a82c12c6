"""Names what is compared: rules by name, and those that are written as in a space file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from study.errors import UserError
from study.search.early_stopping import StoppingRule, make_rule
from study.simulation.curve_set import CurveSet
from study.simulation.optuna_pruners import PercentileRule, SuccessiveHalvingRule, WilcoxonRule
from study.simulation.promotion import BestAfter, Pasha
from study.simulation.replay import ReplayScheduler, StopEarly, replay_key
from study.simulation.signed_rank import SignedRankTests
from study.spec.literals import RULES, read_value
from trainables.config.serialization import ConfigError
from trainables.errors import suggestion


@dataclass(frozen=True, slots=True)
class Draw:
    """Holds what one replay begins with.

    >>> from trainables.config.training import Training
    >>> training = Training(epochs=2, milestones=(), schedule="cosine", precision="float32")
    >>> curves = CurveSet("quickstart", np.zeros((3, 2)), training)
    >>> Draw(curves, there=[2, 0, 1], trials=2, random=np.random.default_rng(0)).order
    [2, 0]

    Attributes:
        curves: the search that is replayed.
        there: configurations that there are in this replay, in a random order.
        trials: how many of them are begun at most.
        random: numbers of this replay alone.
        sampler: who asks for configurations; None takes them as they stand in ``there``.
    """

    curves: CurveSet
    there: Sequence[int]
    trials: int
    random: np.random.Generator
    sampler: str | None = None

    @property
    def order(self) -> Sequence[int]:
        """Configurations that are begun where no sampler is asked."""
        return self.there[: self.trials]


Competitor = Callable[[Draw], ReplayScheduler]
"""Makes the scheduler of one replay."""


def stopping(make: Callable[[CurveSet], StoppingRule | None]) -> Competitor:
    """Return a competitor whose trials are stopped by the rule that ``make`` gives."""

    def scheduler(draw: Draw) -> ReplayScheduler:
        curves, rule = draw.curves, make(draw.curves)
        draws = draw.random.integers(16**8, size=len(curves)).tolist()
        keys = [replay_key(key, row) for row, key in enumerate(draws)]
        if draw.sampler is None:
            return StopEarly(rule, curves.values, draw.order, keys)
        from study.simulation.orders import SamplerOrder  # Optuna, which only samplers need

        seed = int(draw.random.integers(2**31))
        order = SamplerOrder(curves.points, draw.there, draw.trials, draw.sampler, seed)
        return StopEarly(rule, curves.values, order, keys, order.tell)

    return scheduler


def written(text: str) -> Competitor:
    """Return the competitor written as in a space file: ``ASHA(grace=10)``, or ``None``.

    Raises:
        UserError: it is no such rule.
    """
    try:
        stop = read_value(text)
    except ConfigError as error:
        raise UserError(f"--rule {text}: {error}") from None
    if stop is not None and type(stop) not in RULES.values():
        name, called, _ = text.strip().partition("(")
        if not called or name in RULES:
            raise UserError(f"--rule {text}: is not written like ASHA(grace=30, reduction=3)")
        raise UserError(f"--rule {text}: no rule {name}; {suggestion(name, RULES)}")
    return stopping(lambda curves: make_rule(stop, curves.training))


def _wilcoxon() -> Competitor:
    known: dict[int, SignedRankTests] = {}  # by the array, which the tests keep alive

    def rule(curves: CurveSet) -> StoppingRule:
        tests = known.setdefault(id(curves.values), SignedRankTests(curves.values, threshold=0.1))
        return WilcoxonRule(tests)

    return stopping(rule)


COMPETITORS: dict[str, Competitor] = {
    "no early stopping": written("None"),
    "ASHA() of this project": written("ASHA()"),
    "ASHA, its default before": written("ASHA(grace=30, reduction=3, window=1)"),
    "Ray ASHA as shipped": written("ASHA(grace=1, reduction=4, window=1)"),
    "Optuna median": stopping(lambda curves: PercentileRule(curves.training.epochs, 50.0)),
    "Optuna percentile 25": stopping(lambda curves: PercentileRule(curves.training.epochs, 25.0)),
    "Optuna Hyperband": stopping(lambda curves: SuccessiveHalvingRule(curves.training.epochs)),
    "Optuna Wilcoxon": _wilcoxon(),
    "PASHA": lambda draw: Pasha(draw.curves.values, draw.order),
    "best after one epoch": lambda draw: BestAfter(draw.curves.values, draw.order),
}
"""Competitors that ``sdd-study simulate`` compares unless it is told otherwise, by the names in its table."""
