"""What many replays come to, and that the numbers mean what they are called."""

from __future__ import annotations

import numpy as np
import pytest

from study.errors import UserError
from study.simulation.competitors import COMPETITORS, written
from study.simulation.curve_set import CurveSet
from study.simulation.simulate import ReplayPlan, simulate
from tests.study.simulation.made_curves import EPOCHS, search
from trainables.config import Training

WHOLE = ReplayPlan(replays=20, there=1.0)


def test_each_rule_is_run_and_training_everything_finds_the_best() -> None:
    found = {item.rule: item for item in simulate([search(20, 0), search(15, 1)], COMPETITORS, WHOLE)}
    assert list(found) == list(COMPETITORS)
    whole = found["no early stopping"]
    assert (whole.regret, whole.cost, whole.killed, whole.near) == (0, 1, 0, 1)
    assert (whole.searches, whole.replays) == (2, 20)
    for name, item in found.items():
        assert item.regret_low <= item.regret <= item.regret_high, name
        assert item.killed_low <= item.killed <= item.killed_high, name
        assert item.cost < 1 or name in ("no early stopping", "ASHA, its default before"), name
    cheapest = found["best after one epoch"]
    sizes = [(19 + EPOCHS) / (20 * EPOCHS), (14 + EPOCHS) / (15 * EPOCHS)]
    assert cheapest.cost == pytest.approx(np.mean(sizes))


def test_a_rule_that_must_stop_the_best_is_seen_to() -> None:
    """One configuration is worst at the only rung and best at the end; it is stopped unless it came first."""
    values = np.full((10, EPOCHS), 50.0) + np.arange(10)[:, None]
    values[0] = 0.0
    values[0, -1] = 99.0
    late = CurveSet("late", values, Training(epochs=EPOCHS, milestones=()))
    rule = {"one": written("ASHA(grace=20, reduction=3)")}
    (item,) = simulate([late], rule, ReplayPlan(replays=500, there=1.0, seed=1))
    assert item.killed_low < 0.9 < item.killed_high, "nine times in ten it is not the first"
    assert item.regret == pytest.approx(item.killed * (99.0 - 59.0))
    assert item.near == pytest.approx(1 - item.killed)


def test_the_same_seed_gives_the_same_and_rules_see_the_same_draws() -> None:
    rules = {"a": written("ASHA(grace=3)"), "b": written("ASHA(grace=3)")}
    first, second = simulate([search(12, 3)], rules, ReplayPlan(replays=50))
    assert (first.regret, first.cost, first.killed) == (second.regret, second.cost, second.killed)
    other = simulate([search(12, 3)], rules, ReplayPlan(replays=50, seed=1))[0]
    assert other.cost != first.cost


def test_a_budget_is_kept() -> None:
    plan = ReplayPlan(replays=20, there=1.0, trainings=5.0)
    (item,) = simulate([search(20, 0)], {"none": written("None")}, plan)
    assert item.cost == pytest.approx(5 / 20)
    assert item.regret > 0
    (fewer,) = simulate([search(20, 0)], {"none": written("None")}, ReplayPlan(replays=20, trials=4))
    assert fewer.cost == 1
    assert fewer.regret > 0, "the best is not always among four"


def test_a_sampler_that_learns_is_sooner_at_the_best() -> None:
    random = np.random.default_rng(0)
    rates, kinds = random.random(120), random.integers(2, size=120)
    points = [{"lr": float(rate), "kind": "ab"[kind]} for rate, kind in zip(rates, kinds, strict=True)]
    best = 80 - 60 * np.abs(rates - 0.3) - 10 * kinds
    training = Training(epochs=EPOCHS, milestones=())
    dense = CurveSet("dense", np.repeat(best[:, None], EPOCHS, 1), training, points)
    regrets = {}
    for sampler in ("random", "tpe"):
        plan = ReplayPlan(replays=12, there=1.0, trials=30, sampler=sampler)
        regrets[sampler] = simulate([dense], {"none": written("None")}, plan)[0].regret
    assert regrets["tpe"] < regrets["random"] / 1.5
    with pytest.raises(UserError, match="do not say what was searched"):
        simulate([search(5, 0)], {"none": written("None")}, ReplayPlan(sampler="tpe"))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("ASHA(grace=0)", "grace: 0 is fewer than 1"),
        ("Asha(grace=3)", "no rule Asha; did you mean 'ASHA'"),
        ("ASHA(grase=3)", "grase"),
        ("ASHA(3)", "ASHA: too many positional arguments; its fields are grace, reduction, window"),
        ("ASHA(grace=2.5)", "grace: expected a whole number, got 2.5"),
        ("HyperBand(brackets=True)", "brackets: expected a whole number, got True"),
        ("ASHA(grace=", "is not written like"),
        ("ASHA(grace=open('x'))", "ASHA: grace: expected a number, a text or a list of them, got open('x')"),
        ("ASHA(**{'grace': 3})", "ASHA: '**' is not read"),
        ("Float(1, 2)", "no rule Float; known: ASHA, HyperBand, Median"),
        ("1", "is not written like"),
    ],
)
def test_a_rule_that_is_none_is_refused_by_name(text: str, complaint: str) -> None:
    with pytest.raises(UserError, match="--rule") as raised:
        written(text)
    assert complaint in str(raised.value)
