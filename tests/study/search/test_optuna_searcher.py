"""The search as Tune drives it: what is suggested, what Optuna is told, what a crash leaves behind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import InMemoryStorage
from optuna.trial import TrialState

from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.search.optuna_searcher import BY_HAND
from tests.study.driving import Driven, keys

Write = Callable[..., Path]
Launch = Callable[[Plan], Driven]


@pytest.fixture
def plan(space: Write) -> Plan:
    return resolve(load_space(space(), ["budget.trials=6"]))


@pytest.fixture
def launch(tmp_path: Path) -> Launch:
    """Opens a study's searches, again and again over one journal and one storage."""
    storage = InMemoryStorage()
    return lambda plan: Driven(plan, tmp_path, storage)


def states(driven: Driven) -> list[TrialState]:
    return [trial.state for trial in driven.searchers[0].study.trials]


def test_the_first_trials_are_the_papers_configuration_of_each_pair(plan: Plan, launch: Launch) -> None:
    driven = launch(plan)
    configs = [driven.ask(str(n)) for n in range(2)]
    assert [c.student for c in configs if c] == ["wrn_10_1", "resnet8"]
    logits = [c.method.logit for c in configs if c]
    assert [(x.base, x.alpha, x.complementary_weight, x.scales) for x in logits if x] == [
        ("kd", 0.9, 2.0, (1, 2, 4)),
        ("kd", 0.9, 2.0, (1, 2)),
    ]


def test_the_budget_is_kept(plan: Plan, launch: Launch) -> None:
    driven = launch(plan)
    assert len([n for n in range(9) if driven.ask(str(n)) is not None]) == 6


def test_a_budget_below_the_number_of_pairs_is_kept(space: Write, launch: Launch) -> None:
    driven = launch(resolve(load_space(space(), ["budget.trials=1"])))
    assert driven.ask("0") is not None
    assert driven.ask("1") is None
    assert len(states(driven)) == 1


def test_optuna_hears_complete_pruned_and_failed(plan: Plan, launch: Launch) -> None:
    driven = launch(plan)
    for n in range(3):
        driven.ask(str(n))
    driven.end("0", 40.0, 50.0)
    driven.end("1", 41.0, status="stopped")
    driven.end("2", status="failed")
    trials = driven.searchers[0].study.trials
    assert [(t.state, t.value) for t in trials[:3]] == [
        (TrialState.COMPLETE, 50.0),
        (TrialState.PRUNED, 41.0),
        (TrialState.FAIL, None),
    ]
    assert trials[0].intermediate_values == {2: 50.0}


def test_a_crash_costs_nothing_and_the_orphans_come_first(plan: Plan, launch: Launch) -> None:
    first = launch(plan)
    configs = [first.ask(str(n)) for n in range(4)]
    first.end("0", 40.0, 50.0)
    first.close()  # the launcher dies with trials 1 to 3 running
    again = launch(plan)
    assert again.search.left() == 5
    assert keys([again.ask(f"b{n}") for n in range(3)]) == keys(configs[1:])
    new = keys([again.ask(f"c{n}") for n in range(2)])
    assert not set(keys(configs)) & set(new)
    assert again.ask("d") is None
    for trial_id in ("b0", "b1", "b2", "c0", "c1"):
        again.end(trial_id, 0.5, 1.0)
    again.close()
    assert launch(plan).search.left() == 0


def test_what_the_journal_knows_and_optuna_was_not_told_is_not_run_again(plan: Plan, launch: Launch) -> None:
    first = launch(plan)
    configs = [first.ask(str(n)) for n in range(2)]
    first.journal.report(first.planned_trials["0"].key, {"epoch": 1, "val/top1": 40.0})
    first.journal.report(first.planned_trials["0"].key, {"epoch": 2, "val/top1": 50.0})
    first.journal.end(first.planned_trials["0"].key, "done")  # the launcher dies before Optuna hears of it
    first.close()
    again = launch(plan)
    assert again.search.left() == 5
    assert [(t.state, t.value) for t in again.searchers[0].study.trials[2:]] == [
        (TrialState.COMPLETE, 50.0),
        (TrialState.WAITING, None),
    ]
    assert keys([again.ask("b")]) == keys(configs[1:])


def test_what_optuna_was_told_and_the_journal_does_not_know_is_run_again(plan: Plan, launch: Launch) -> None:
    first = launch(plan)
    config = first.ask("0")
    first.search.tell("0", {"epoch": 2, "training_iteration": 2, "val/top1": 50.0})
    first.close()  # before the journal has its end
    again = launch(plan)
    assert again.search.left() == 6
    asked = [again.ask("b0"), again.ask("b1")]
    assert keys([config])[0] in keys(asked)


def test_more_trials_extend_a_search(space: Write, launch: Launch) -> None:
    first = launch(resolve(load_space(space(), ["budget.trials=3"])))
    before = keys([first.ask(str(n)) for n in range(3)])
    for n in range(3):
        first.end(str(n), 1.0, 2.0)
    assert first.ask("3") is None
    first.close()
    again = launch(resolve(load_space(space(), ["budget.trials=5"])))
    assert again.search.left() == 2
    after = keys([again.ask(f"b{n}") for n in range(2)])
    assert not set(before) & set(after)
    assert again.ask("c") is None


def test_trials_enqueued_by_hand_come_on_top_of_the_budget(space: Write, launch: Launch) -> None:
    driven = launch(resolve(load_space(space(), ["budget.trials=3"])))
    point = {"pair": "resnet8-resnet8", "base": "kd", "alpha": 3.0, "scales": "1,2"}
    driven.searchers[0].study.enqueue_trial(point, user_attrs={BY_HAND: True})
    assert driven.search.left() == 4
    asked = [driven.ask(str(n)) for n in range(4)]
    assert 3.0 in [c.method.logit.alpha for c in asked if c and c.method.logit]
    assert driven.ask("4") is None
    driven.close()
    again = launch(driven.history.plan)  # all four were running, one of them by hand
    assert again.search.left() == 4
    assert sorted(keys([again.ask(f"b{n}") for n in range(4)])) == sorted(keys(asked))
    assert again.ask("c") is None


def test_while_trials_run_the_search_waits_for_what_may_be_enqueued(
    space: Write, launch: Launch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.search.study_search.LOOK_AGAIN_S", 0.0)
    driven = launch(resolve(load_space(space(), ["budget.trials=1"])))
    driven.ask("0")
    assert driven.search.ask("1") is None
    point = {"pair": "resnet8-resnet8", "base": "kd", "alpha": 3.0, "scales": "1,2"}
    driven.searchers[0].study.enqueue_trial(point, user_attrs={BY_HAND: True})
    assert driven.ask("1") is not None
    driven.end("0", 1.0, 2.0)
    assert driven.search.ask("2") is None
    driven.end("1", 1.0, 2.0)
    assert driven.search.ask("2") is None


def test_arms_take_turns_in_a_launch_and_in_the_next(space: Write, launch: Launch) -> None:
    plan = resolve(load_space(space(), ["budget.trials=4", "search.pairs=each"]))
    first = launch(plan)
    students = [c.student for n in range(5) if (c := first.ask(str(n)))]
    assert sorted(students[:2]) == sorted(students[2:4]) == ["resnet8", "wrn_10_1"]
    for n in range(5):
        first.end(str(n), 30.0, 31.0)
    assert [t.state for t in first.searchers[0].study.trials].count(TrialState.COMPLETE) == 3
    first.close()
    again = launch(plan)
    rest = [c.student for n in range(3) if (c := again.ask(f"b{n}"))]
    assert rest[0] != students[4], "the pair that is behind goes first"
    assert sorted([*students, *rest]) == ["resnet8"] * 4 + ["wrn_10_1"] * 4
    assert again.ask("c") is None


def test_options_of_a_base_are_asked_for_only_when_it_is_chosen(space: Write, launch: Launch) -> None:
    file = space()
    text = file.read_text().replace(
        "alpha=LogFloat(0.25, 4)", 'options={"dkd": {"beta": Float(2, 10)}}, alpha=LogFloat(0.25, 4)'
    )
    file.write_text(text)
    driven = launch(resolve(load_space(file, ["budget.trials=12", "search.sampler=random"])))
    bases: list[Any] = []
    for n in range(12):
        config = driven.ask(str(n))
        assert config is not None
        logit, point = config.method.logit, driven.planned_trials[str(n)].point
        assert logit is not None
        bases.append(logit.base)
        assert ("dkd.beta" in point) == (logit.base == "dkd")
        if logit.base == "dkd":
            assert logit.options["beta"] == point["dkd.beta"]
            assert logit.options["temperature"] == 4.0
    assert set(bases) == {"kd", "dkd"}
