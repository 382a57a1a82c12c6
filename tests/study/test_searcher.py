"""The search as Tune drives it: what is suggested, what Optuna is told, what a crash leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from study.loading import load_space
from study.plan import Plan, resolve
from study.searcher import ArmSearch, Interleaved, open_storage
from trainables.config import Teacher, TrialConfig

Write = Callable[..., Path]
TEACHER = Teacher(name="resnet8", weights="0" * 64)


@pytest.fixture
def plan(space: Write) -> Plan:
    return resolve(load_space(space(), ["budget.trials=6"]))


def open_arms(plan: Plan, folder: Path) -> list[ArmSearch]:
    storage = open_storage(f"sqlite:///{folder / 'optuna.db'}")
    return [
        ArmSearch(arm, plan.spec, storage, arm.label, lambda a, p, m: plan.search_job(a, p, m, TEACHER))
        for arm in plan.arms
    ]


def ask(search: Any, trial_id: str) -> TrialConfig:
    suggested = search.suggest(trial_id)
    assert suggested is not None
    return TrialConfig.from_dict(suggested["trial"])


def result(epoch: int, value: float) -> dict[str, Any]:
    return {"epoch": epoch, "training_iteration": epoch, "val/top1": value}


def test_the_first_trials_are_the_papers_configuration_of_each_pair(plan: Plan, tmp_path: Path) -> None:
    (search,) = open_arms(plan, tmp_path)
    configs = [ask(search, str(n)) for n in range(2)]
    assert [c.student for c in configs] == ["wrn_10_1", "resnet8"]
    logits = [c.method.logit for c in configs]
    assert [(x.base, x.alpha, x.complementary_weight, x.scales) for x in logits if x] == [
        ("kd", 0.9, 2.0, (1, 2, 4)),
        ("kd", 0.9, 2.0, (1, 2)),
    ]


def test_the_budget_is_kept(plan: Plan, tmp_path: Path) -> None:
    (search,) = open_arms(plan, tmp_path)
    assert len([n for n in range(9) if search.suggest(str(n)) is not None]) == 6


def test_optuna_hears_complete_pruned_and_failed(plan: Plan, tmp_path: Path) -> None:
    (search,) = open_arms(plan, tmp_path)
    for n in range(3):
        ask(search, str(n))
    search.on_trial_result("0", result(1, 40.0))
    search.on_trial_complete("0", result(2, 50.0))
    search.on_trial_complete("1", result(1, 41.0))
    search.on_trial_complete("2", error=True)
    search.on_trial_complete("2", error=True)
    states = [(t.state, t.value) for t in search.study.trials]
    assert states == [(TrialState.COMPLETE, 50.0), (TrialState.PRUNED, 41.0), (TrialState.FAIL, None)]
    assert search.study.trials[0].intermediate_values == {1: 40.0, 2: 50.0}


def test_a_crash_costs_nothing_and_the_orphans_come_first(plan: Plan, tmp_path: Path) -> None:
    (search,) = open_arms(plan, tmp_path)
    configs = [ask(search, str(n)) for n in range(4)]
    search.on_trial_complete("0", result(2, 50.0))
    del search  # the launcher dies with trials 1 to 3 running
    (again,) = open_arms(plan, tmp_path)
    assert again.left == 5
    assert [ask(again, f"b{n}").trial_key for n in range(3)] == [c.trial_key for c in configs[1:]]
    new = [ask(again, f"c{n}").trial_key for n in range(2)]
    assert not {c.trial_key for c in configs} & set(new)
    assert again.suggest("d") is None
    for trial_id in ("b0", "b1", "b2", "c0", "c1"):
        again.on_trial_complete(trial_id, result(2, 1.0))
    (finished,) = open_arms(plan, tmp_path)
    assert finished.left == 0


def test_arms_take_turns(space: Write, tmp_path: Path) -> None:
    plan = resolve(load_space(space(), ["budget.trials=3", "search.pairs=each"]))
    search = Interleaved(open_arms(plan, tmp_path))
    students = [ask(search, str(n)).student for n in range(6)]
    assert sorted(students[:2]) == sorted(students[2:4]) == sorted(students[4:]) == ["resnet8", "wrn_10_1"]
    assert search.suggest("7") is None
    search.on_trial_result("0", result(1, 30.0))
    search.on_trial_complete("0", result(2, 31.0))
    assert [t.state for t in search.arms[0].study.trials].count(TrialState.COMPLETE) == 1


def test_options_of_a_base_are_asked_for_only_when_it_is_chosen(space: Write, tmp_path: Path) -> None:
    file = space()
    text = file.read_text().replace(
        "alpha=LogFloat(0.25, 4)", 'options={"dkd": {"beta": Float(2, 10)}}, alpha=LogFloat(0.25, 4)'
    )
    file.write_text(text)
    plan = resolve(load_space(file, ["budget.trials=12", "search.sampler=random"]))
    (search,) = open_arms(plan, tmp_path)
    for n in range(12):
        logit = ask(search, str(n)).method.logit
        assert logit is not None
        asked = "dkd.beta" in search.study.trials[n].params
        assert asked == (logit.base == "dkd")
        if asked:
            assert logit.options["beta"] == search.study.trials[n].params["dkd.beta"]
            assert logit.options["temperature"] == 4.0
