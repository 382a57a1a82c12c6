"""A search with a cost: what Optuna is told, and the Pareto front that is confirmed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from study.journal import Record
from study.loading import load_space
from study.plan import Plan, resolve
from study.searcher import ArmSearch, Interleaved
from study.spec import ASHA, Search
from study.stages import winners
from trainables.config import ConfigError, Teacher

Write = Callable[..., Path]
TEACHER = Teacher(name="resnet8", weights="0" * 64)
TWO = ["search.stop=None", "search.minimize=student/multiply_adds", "budget.trials=4"]


@pytest.fixture
def plan(space: Write) -> Plan:
    return resolve(load_space(space(), TWO))


def costs(plan: Plan) -> dict[str, float]:
    return {pair.label: float(plan.multiply_adds(pair)) for pair in plan.spec.pairs}


def opened(plan: Plan) -> ArmSearch:
    (arm,) = plan.arms
    return ArmSearch(
        arm,
        plan.spec,
        InMemoryStorage(),
        arm.label,
        lambda a, p, m: plan.search_job(a, p, m, TEACHER),
        costs(plan),
    )


def test_multiply_adds_are_those_of_the_student(plan: Plan) -> None:
    found = costs(plan)
    assert found.keys() == {"resnet8-wrn_10_1", "resnet8-resnet8"}
    # resnet8 at 32x32: a stem of 3x16, then 3 stages of two 3x3 convolutions each, and 64 x 10 at the end
    stages = 2 * 16 * 16 * 9 * 32**2 + (16 + 32) * 32 * 9 * 16**2 + (32 + 64) * 64 * 9 * 8**2
    shortcuts = 16 * 32 * 16**2 + 32 * 64 * 8**2
    assert found["resnet8-resnet8"] == 3 * 16 * 9 * 32**2 + stages + shortcuts + 64 * 10


def test_optuna_hears_both_objectives(plan: Plan) -> None:
    search = opened(plan)
    both = Interleaved([search])
    assert (both.metric, both.mode) == ("val/top1", "max")  # what Tune asks each report for
    assert search.study.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    for number, value in enumerate((50.0, 60.0, None, 55.0)):
        assert both.suggest(str(number)) is not None
        result = None if value is None else {"epoch": 2, "training_iteration": 2, "val/top1": value}
        if result is not None:
            both.on_trial_result(str(number), result)
        both.on_trial_complete(str(number), result, error=value is None)
    assert both.suggest("4") is None
    trials = search.study.get_trials()
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 2 + [TrialState.FAIL, TrialState.COMPLETE]
    assert [t.params["pair"] for t in trials[:2]] == list(costs(plan))  # the paper's, of each student
    for trial in (trials[0], trials[1], trials[3]):
        assert trial.values[1] == costs(plan)[trial.params["pair"]]


def test_another_objective_is_another_search(space: Write) -> None:
    one = resolve(load_space(space(), ["search.stop=None"]))
    two = resolve(load_space(space(), TWO))
    assert one.arms[0].fingerprint != two.arms[0].fingerprint


def record(key: str, pair: str, value: float, status: str = "done") -> Record:
    return Record(
        key=key,
        config={},
        stage="search",
        pair=pair,
        method="SD-KD",
        role="",
        arm="pairs/SDD",
        started=0.0,
        status=status,
        history=[{"epoch": 1, "val/top1": value}],
    )


def test_winners_are_the_pareto_front() -> None:
    cost = {"small": 1.0, "middle": 2.0, "large": 3.0}
    trials = [
        record("a", "large", 70.0),
        record("b", "large", 69.0),
        record("c", "middle", 60.0),  # worse than d and dearer
        record("d", "small", 60.0),
        record("e", "small", 80.0, status="failed"),
    ]
    records = {trial.key: trial for trial in trials}
    assert [r.key for r in winners(records, "pairs/SDD", "val/top1", cost)] == ["a", "d"]
    assert [r.key for r in winners(records, "pairs/SDD", "val/top1")] == ["a", "b", "c", "d"]
    assert winners(records, "another", "val/top1", cost) == []


def test_early_stopping_and_separate_searches_are_refused() -> None:
    for wrong in ({"stop": ASHA()}, {"pairs": "each"}):
        options = {"stop": None, "pairs": "search", **wrong}
        with pytest.raises(ConfigError, match="minimize: a second objective needs stop=None"):
            Search(minimize="student/multiply_adds", **options)  # type: ignore[arg-type]
