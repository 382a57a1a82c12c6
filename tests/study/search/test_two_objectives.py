"""A search with a cost: what Optuna is told, and the Pareto front that is confirmed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import torch
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import TrialState

from study.journal.record import MetricHistory, TrialRecord, TrialStatus
from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.search.objectives import Objectives
from study.spec import ASHA, Median, Search
from study.spec.search import COSTS, Minimized
from tests.study.driving import Driven
from trainables.config import ConfigError, Training
from trainables.data.split import Batch
from trainables.engine.evaluation import evaluate
from trainables.engine.runtime import Runtime
from trainables.models import build

Write = Callable[..., Path]
TWO = [
    "pairs.0.student=resnet20",
    "search.stop=None",
    "search.minimize=student/multiply_adds",
    "budget.trials=4",
]


@pytest.fixture
def plan(space: Write) -> Plan:
    return resolve(load_space(space(), TWO))


def costs(plan: Plan) -> dict[str, float]:
    name = "student/multiply_adds"
    return {pair.label: plan.costs(pair, [name])[name] for pair in plan.spec.pairs}


def test_multiply_adds_are_those_of_the_student(plan: Plan) -> None:
    found = costs(plan)
    assert found.keys() == {"resnet8-resnet20", "resnet8-resnet8"}
    # resnet8 at 32x32: a stem of 3x16, then 3 stages of two 3x3 convolutions each, and 64 x 10 at the end
    stages = 2 * 16 * 16 * 9 * 32**2 + (16 + 32) * 32 * 9 * 16**2 + (32 + 64) * 64 * 9 * 8**2
    shortcuts = 16 * 32 * 16**2 + 32 * 64 * 8**2
    assert found["resnet8-resnet8"] == 3 * 16 * 9 * 32**2 + stages + shortcuts + 64 * 10


def test_optuna_hears_both_objectives(plan: Plan, tmp_path: Path) -> None:
    driven = Driven(plan, tmp_path, InMemoryStorage())
    assert driven.search.metric == "val/top1"
    study = driven.searchers[0].study
    assert study.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE]
    for number, value in enumerate((50.0, 60.0, None, 55.0)):
        assert driven.ask(str(number)) is not None
        driven.end(
            str(number), *(() if value is None else (40.0, value)), status="done" if value else "failed"
        )
    assert driven.ask("4") is None
    trials = study.get_trials()
    assert [t.state for t in trials] == [TrialState.COMPLETE] * 2 + [TrialState.FAIL, TrialState.COMPLETE]
    assert [t.params["pair"] for t in trials[:2]] == list(costs(plan))  # the paper's, of each student
    for trial in (trials[0], trials[1], trials[3]):
        assert trial.values[1] == costs(plan)[trial.params["pair"]]
    driven.close()
    again = Driven(plan, tmp_path, InMemoryStorage())  # Optuna's database is lost
    assert [t.values for t in again.searchers[0].study.trials] == [t.values for t in trials]


def test_rungs_are_judged_by_fronts(space: Write, tmp_path: Path) -> None:
    plan = resolve(load_space(space(), TWO))
    search = dataclasses.replace(plan.spec.search, stop=ASHA(grace=1, reduction=2))
    training = dataclasses.replace(plan.spec.training, epochs=3)
    spec = dataclasses.replace(plan.spec, search=search, training=training)
    plan = dataclasses.replace(plan, spec=spec)
    driven = Driven(plan, tmp_path, InMemoryStorage())
    first, second = driven.ask("0"), driven.ask("1")
    assert first is not None
    assert second is not None
    assert {first.student, second.student} == {"resnet20", "resnet8"}
    small, large = ("0", "1") if first.student == "resnet8" else ("1", "0")
    assert driven.epoch(large, 1, 60.0)
    assert driven.epoch(small, 1, 30.0), "worse, and on the front of its size"
    third = driven.ask("2")
    assert third is not None
    assert driven.epoch("2", 1, 20.0) is False, "a student of its size, or a smaller one, is better"
    assert driven.searchers[0].study.get_trials()[2].state is TrialState.PRUNED
    driven.close()
    again = Driven(plan, tmp_path, InMemoryStorage())
    states = [trial.state for trial in again.searchers[0].study.get_trials()]
    assert TrialState.PRUNED in states


def test_another_objective_is_another_search(space: Write) -> None:
    one = resolve(load_space(space(), ["search.stop=None"]))
    two = resolve(load_space(space(), TWO))
    assert one.search_spaces[0].fingerprint != two.search_spaces[0].fingerprint


def record(key: str, pair: str, value: float, status: TrialStatus = "done", loss: float = 1.0) -> TrialRecord:
    return TrialRecord(
        key=key,
        config={},
        stage="search",
        pair=pair,
        method="SD-KD",
        role="",
        search="pairs/SDD",
        started=0.0,
        status=status,
        history=MetricHistory.of([{"epoch": 1, "val/top1": value, "val/loss": loss}]),
    )


def test_winners_are_the_pareto_front(plan: Plan) -> None:
    small, large = sorted(costs(plan), key=costs(plan).__getitem__)
    trials = [
        record("a", large, 70.0),
        record("b", large, 69.0),  # worse than a at the same cost
        record("c", small, 60.0),
        record("d", small, 59.0),
        record("e", small, 80.0, status="failed"),
    ]
    assert [r.key for r in Objectives.of(plan).ranked(trials)] == ["a", "c"]
    assert Objectives.of(plan).ranked([]) == []
    alone = dataclasses.replace(plan, spec=dataclasses.replace(plan.spec, search=Search()))
    assert [r.key for r in Objectives.of(alone).ranked(trials)] == ["a", "b", "c", "d"]
    assert [r.key for r in Objectives.of(alone).ranked(trials[4:])] == ["e"], (
        "unfinished ones only if all are"
    )


def test_three_objectives_have_a_front_too(plan: Plan) -> None:
    search = Search(minimize=("val/loss", "student/parameters"), pairs="search", stop=None)
    three = Objectives.of(dataclasses.replace(plan, spec=dataclasses.replace(plan.spec, search=search)))
    small, large = sorted(costs(plan), key=costs(plan).__getitem__)
    trials = [
        record("a", large, 70.0, loss=1.0),
        record("b", large, 60.0, loss=0.5),  # better calibrated
        record("c", large, 60.0, loss=0.6),  # worse than b
        record("d", small, 50.0, loss=2.0),
        record("e", small, 50.0, loss=3.0),  # worse than d
    ]
    assert [r.key for r in three.ranked(trials)] == ["a", "b", "d"]
    assert three.directions == ["maximize", "minimize", "minimize"]


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"stop": Median()}, "minimize: of several objectives ASHA alone judges"),
        ({"pairs": "each"}, "minimize: a cost is the same for all trials of a pair"),
        ({"sampler": "cmaes"}, "sampler: cmaes has one objective"),
        ({"minimize": ("val/loss", "val/loss")}, "minimize: names one objective twice"),
    ],
)
def test_what_does_not_go_together_is_refused(wrong: dict[str, Any], part: str) -> None:
    options: dict[str, Any] = {"minimize": "student/multiply_adds", "stop": None, "pairs": "search", **wrong}
    with pytest.raises(ConfigError, match=part):
        Search(**options)


def test_every_objective_is_reported_or_known_from_the_network(plan: Plan) -> None:
    hints = get_type_hints(Search)
    up = set(get_args(hints["maximize"]))
    down = {name for kind in get_args(Minimized) for name in get_args(kind)}
    network = build("resnet8", 10, image_size=32)
    whole = torch.arange(4)
    batch = Batch(torch.zeros(4, 3, 32, 32), whole, whole, -torch.ones_like(whole))
    metrics = evaluate(network, [batch], "val", Training(precision="float32"), Runtime(torch.device("cpu")))
    assert up | down == set(metrics) | set(COSTS)
    assert set(plan.costs(plan.spec.pairs[0], COSTS)) == set(COSTS)


def test_top5_of_few_classes_is_refused(space: Write) -> None:
    with pytest.raises(ConfigError, match=r"search\.maximize: val/top5 needs six classes, the data have 3"):
        resolve(load_space(space(), ["search.maximize=val/top5", "data.classes=3"]))
