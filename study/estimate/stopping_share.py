"""Expects what early stopping leaves of a search's epochs, by letting the rule itself judge made trials."""

from __future__ import annotations

import random
from typing import Any

from study.search.early_stopping import make_rule
from study.spec.training import closed
from trainables.config import Training

REPEATS = 20


def expected_share(stop: Any, training: Training, trials: int) -> float:
    """Return the share of epochs that ``trials`` trials train, if their order never changes on the way.

    Real curves cross; docs/stopping.md has shares that were measured.

    >>> expected_share(None, Training(epochs=10), trials=8)
    1.0

    Args:
        stop: the search's early stopping, or None.
    """
    trained, epochs = 0, closed(training).epochs
    for repeat in range(REPEATS):
        rule, draw = make_rule(stop, training), random.Random(repeat)
        if rule is None:
            return 1.0
        for _ in range(trials):
            value, key = draw.random(), f"{draw.getrandbits(64):016x}"
            for epoch in range(1, epochs + 1):
                trained += 1
                if epoch in rule.judged and rule.stops(key, [value] * epoch):
                    break
    return trained / (REPEATS * trials * epochs)
