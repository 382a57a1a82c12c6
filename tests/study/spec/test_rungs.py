"""Where rungs lie: after the first drop of the learning rate where that is searched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from study.simulation.competitors import COMPETITORS
from study.simulation.curve_set import read_csv, searches
from study.simulation.simulate import ReplayPlan, simulate
from study.spec import ASHA, KD, Choice, Data, LogFloat, Pair, StudySpec, Training
from study.spec.define_by_run import DefineByRun
from study.spec.distillation import Distillation
from study.spec.rungs import Rung, halving, rungs, searched_training

RATE = LogFloat(0.01, 0.2)
STEP = Training(epochs=30, milestones=(18, 22, 26))
RECORDED = Path(__file__).parents[3] / "benchmarks/recorded/cifar100.csv"


def first(**fields: object) -> tuple[int, int]:
    decided = halving(ASHA(), Training(**fields))  # type: ignore[arg-type]
    return decided.first, decided.reduction


def test_a_search_over_the_rate_is_judged_after_its_first_drop() -> None:
    assert first(epochs=30, milestones=(18, 22, 26)) == (7, 6)
    assert first(epochs=30, milestones=(18, 22, 26), lr=RATE) == (20, 3)
    assert first(epochs=30, milestones=(18, 22, 26), batch_size=Choice(32, 64)) == (20, 3)
    assert first(epochs=30, milestones=(18, 22, 26), weight_decay=LogFloat(1e-5, 1e-3)) == (7, 6)
    assert first(epochs=30, milestones=(20,), lr=RATE) == (25, 3)
    assert rungs(ASHA(), Training(epochs=30, milestones=(18, 22, 26), lr=RATE)) == [Rung(20, 18)]


def test_a_rate_that_falls_all_along_is_judged_at_three_quarters_and_one_that_stays_early() -> None:
    assert first(epochs=40, schedule="cosine", milestones=(), lr=RATE) == (30, 3)
    assert first(epochs=40, milestones=(), lr=RATE) == (10, 6)
    assert first(epochs=2, schedule="cosine", milestones=(), lr=RATE) == (1, 3)


def test_what_is_named_is_done() -> None:
    training = Training(epochs=30, milestones=(18, 22, 26), lr=RATE)
    assert [rung.epoch for rung in rungs(ASHA(grace=4), training)] == [4, 24]
    assert halving(ASHA(reduction=2), training).reduction == 2


def by_function(trial: Any) -> Distillation:
    return KD(training={"lr": trial.suggest_float("lr", 0.01, 0.2, log=True)})


@pytest.mark.parametrize("where", ["study", "pair", "method", "function"])
def test_the_rate_may_be_searched_for_the_study_a_pair_or_a_method(where: str) -> None:
    own = {"lr": RATE}
    fixed = KD(training=own if where == "method" else {})
    spec = StudySpec(
        data=Data(name="cifar100"),
        pairs=(Pair("resnet20", "resnet8", training=own if where == "pair" else {}),),
        methods=(DefineByRun(by_function) if where == "function" else fixed,),
        training=Training(epochs=30, milestones=(18, 22, 26), lr=RATE if where == "study" else 0.05),
    )
    assert [rung.epoch for rung in rungs(ASHA(), searched_training(spec))] == [20]


def test_on_the_recorded_study_the_default_keeps_the_best_and_an_early_rung_does_not() -> None:
    asked = {name: COMPETITORS[name] for name in ("ASHA() of this project", "Ray ASHA as shipped")}
    ours, shipped = simulate(searches(read_csv(RECORDED)), asked, ReplayPlan(replays=200))
    assert ours.regret < 0.1
    assert ours.killed < 0.05
    assert shipped.killed > 0.5
