"""Replays on curves small enough to be followed by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from study.search.early_stopping import AshaRule
from study.simulation.promotion import BestAfter, Pasha
from study.simulation.replay import StopEarly, replay
from study.spec.rungs import Rung
from tests.study.simulation.made_curves import curves

FOUR = np.array([[1.0, 5, 9, 9], [2, 6, 7, 7], [3, 4, 5, 6], [4, 3, 2, 1]])
"""Four configurations of four epochs; the first is best in the end, the last after one epoch."""


def keys(count: int) -> list[str]:
    return [f"{number:08x}" for number in range(count)]


def asha(order: Sequence[int], workers: int = 1) -> list[int]:
    scheduler = StopEarly(AshaRule([Rung(2, 0)], 2), FOUR, order, keys(4))
    return replay(FOUR, scheduler, workers).epochs.tolist()


def test_a_rung_compares_with_those_that_came_before() -> None:
    # means of epochs 1 and 2: 3, 4, 3.5, 3.5; the median of those before: -, 3, 3.5, 3.5
    assert asha([0, 1, 2, 3]) == [4, 4, 4, 4]
    assert asha([1, 0, 2, 3]) == [2, 4, 4, 4]
    assert asha([1, 2, 3, 0]) == [2, 4, 2, 2]


def test_several_at_once_reach_a_rung_together() -> None:
    assert asha([1, 2, 3, 0], workers=4) == [2, 4, 2, 2]
    # 0 comes to the rung with 1 and 2, before 3
    assert asha([0, 1, 2, 3], workers=2) == [4, 4, 4, 4]


def test_nothing_is_begun_once_the_budget_is_spent() -> None:
    done = replay(FOUR, StopEarly(None, FOUR, [3, 2, 1, 0], keys(4)), budget=5)
    assert done.epochs.tolist() == [0, 0, 4, 4]
    assert done.found(FOUR) == 2
    halfway = replay(FOUR, StopEarly(AshaRule([Rung(2, 0)], 2), FOUR, [0, 1], keys(4)), budget=1)
    assert halfway.epochs.tolist() == [2, 0, 0, 0], "nor gone on with"
    assert halfway.found(FOUR) == 0, "where none is whole, the best of what there is"


def test_the_best_after_one_epoch_goes_on_alone() -> None:
    done = replay(FOUR, BestAfter(FOUR, [0, 1, 2, 3]), workers=2)
    assert done.epochs.tolist() == [1, 1, 1, 4]


def test_a_scheduler_is_told_how_each_trial_ended() -> None:
    told = []
    scheduler = StopEarly(AshaRule([Rung(2, 0)], 2), FOUR, [1, 0], keys(4), lambda *how: told.append(how))
    replay(FOUR, scheduler)
    assert told == [(1, 7.0, True), (0, 5.0, False)]


def test_pasha_stays_short_where_the_order_is_settled_and_grows_where_it_is_not() -> None:
    steady = np.arange(20.0)[:, None] + np.arange(27.0)
    short = replay(steady, Pasha(steady, range(20)))
    assert sorted(short.epochs.tolist())[-2:] == [3, 27], "three epochs settle it; the best goes on"
    assert short.found(steady) == 19
    crossing = np.where(np.arange(27) < 2, steady, steady[::-1])
    grown = replay(crossing, Pasha(crossing, range(20)))
    assert (grown.epochs >= 9).sum() > 1
    noisy = curves(30, 0)
    assert replay(noisy, Pasha(noisy, range(30)), workers=4).epochs.max() == 27


@pytest.mark.parametrize("workers", [1, 3])
def test_without_a_rule_everything_is_trained(workers: int) -> None:
    made = curves(10, 1)
    assert set(replay(made, StopEarly(None, made, range(10), keys(10)), workers).epochs) == {27}
