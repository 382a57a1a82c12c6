"""Domains: what they refuse, what they suggest, how Optuna stores it."""

from __future__ import annotations

import optuna
import pytest

from study.spec import Pair
from study.spec.domains import Choice, Float, Int, LogFloat, label
from trainables.config import ConfigError


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (lambda: Float(4, 1), "wrong way round"),
        (lambda: Int(2, 2), "wrong way round or empty"),
        (lambda: LogFloat(0, 4), "cannot start at 0"),
        (lambda: Float("1", 4), "not made of numbers"),
        (lambda: Float(1, float("inf")), "not made of finite numbers"),
        (lambda: Float(1, 10**400), "not made of finite numbers"),
        (lambda: Float(float("nan"), 4), "not made of finite numbers"),
        (lambda: Float(1, 4, log=3), "log: expected True or False, got 3"),  # type: ignore[arg-type]
        (lambda: Float(1, 4, step=float("inf")), "step inf is not above 0 and finite"),
        (lambda: Int(1.5, 4), "not made of whole numbers; Float"),  # type: ignore[arg-type]
        (lambda: Choice((1, 2)), "two options"),
        (lambda: Choice((1, 2), [1, 2]), "twice"),
    ],
)
def test_a_wrong_domain_is_refused(make: object, part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        make()  # type: ignore[operator]


def test_suggestions_come_back_as_the_values_themselves() -> None:
    study = optuna.create_study()
    study.enqueue_trial({"scales": "1,2,4", "alpha": 0.5, "epochs": 3, "pair": "a-b"})
    trial = study.ask()
    assert Choice((1, 2), (1, 2, 4)).suggest(trial, "scales") == (1, 2, 4)
    assert LogFloat(0.25, 4).suggest(trial, "alpha") == 0.5
    assert Int(1, 5).suggest(trial, "epochs") == 3
    pair = Pair("a", "b")
    assert Choice(Pair("c", "d"), pair).suggest(trial, "pair") == pair
    assert trial.params["scales"] == "1,2,4"


def test_stored_values_are_none_outside_the_domain() -> None:
    assert Float(1, 8).stored(2) == 2.0
    assert Float(1, 8).stored(9) is None
    assert Float(1, 8).stored("2") is None
    assert Int(1, 8).stored(2.5) is None
    assert Choice((1, 2), (1, 4)).stored([1, 4]) == "1,4"
    assert Choice((1, 2), (1, 4)).stored((1,)) is None
    assert label((1, 2)) == "1,2"
