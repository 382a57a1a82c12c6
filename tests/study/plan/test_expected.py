"""A study's folder says, cheaply, whether a launch of it may expect to run trials."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from study.journal.journal import Journal
from study.journal.notes import LaunchNote, LeaveNote, Outcome
from study.loading import load_space
from study.plan.expected import expects_trials, most_confirm_trials, trials_a_kind
from study.plan.resolve import resolve
from study.spec import (
    KD,
    SDD,
    Budget,
    Choice,
    Confirm,
    Data,
    Distillation,
    LogFloat,
    Pair,
    StudySpec,
    Supervised,
)
from study.spec.define_by_run import AnyMethod, DefineByRun
from study.workspace.folder import StudyFolder
from trainables.config.serialization import to_plain
from trainables.storage.files import write_json

SPEC = StudySpec(
    data=Data(name="cifar100"), pairs=(Pair("resnet20", "resnet8"),), methods=(SDD(alpha=LogFloat(1, 4)),)
)


def test_a_finished_study_with_more_trials_than_before_is_to_be_run(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path, "mine")
    journal = Journal(folder.journal)
    journal.note(LeaveNote(outcome="done"))
    journal.close()
    write_json(folder.path / "study.json", {**to_plain(SPEC), "ended": {}})
    assert not expects_trials(folder, SPEC)
    assert expects_trials(folder, dataclasses.replace(SPEC, budget=Budget(trials=SPEC.budget.trials + 1)))


def test_a_new_or_interrupted_study_is_to_be_run_a_finished_or_running_one_is_not(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path, "mine")
    assert expects_trials(folder, SPEC)
    assert not folder.path.exists(), "asking creates nothing"
    folder.path.mkdir()
    write_json(folder.path / "study.json", to_plain(SPEC))
    outcomes: dict[Outcome, bool] = {"interrupted": True, "trials failed": True, "done": False}
    for outcome, expected in outcomes.items():
        journal = Journal(folder.journal)
        journal.note(LeaveNote(outcome=outcome))
        journal.close()
        assert expects_trials(folder, SPEC) is expected
    journal = Journal(folder.journal)
    journal.note(LaunchNote(host="here", pid=1))
    journal.close()
    assert expects_trials(folder, SPEC)
    with folder.lock():
        assert not expects_trials(folder, SPEC)


def test_bases_that_are_tuned_themselves_are_not_confirmed_a_second_time(
    space: Callable[..., Path],
) -> None:
    plan = resolve(load_space(space()))
    confirm = Confirm(best=1, paper=False, seeds=3)

    def by_function(trial: Any) -> Distillation:
        return SDD(base="kd", alpha=trial.suggest_float("alpha", 1, 4))

    def most(*methods: AnyMethod) -> int:
        rate = {"lr": LogFloat(0.01, 0.1)}
        searched = tuple(
            dataclasses.replace(each, training=rate) if isinstance(each, Distillation) else each
            for each in methods
        )
        pairs = plan.spec.pairs[:1]
        spec = dataclasses.replace(plan.spec, methods=searched, confirm=confirm, pairs=pairs)
        return most_confirm_trials(dataclasses.replace(plan, spec=spec))

    assert most(SDD(base="kd")) == 3 * 2, "KD at its published settings beside it"
    assert most(SDD(base="kd"), KD(), Supervised()) == 3 * 3
    assert most(SDD(base="kd", standardize="whole"), KD()) == 3 * 3, "KD+LS is not searched"
    assert most(DefineByRun(by_function), KD()) == 3 * 2
    assert most(DefineByRun(by_function)) == 3 * 2
    assert most(SDD(base=Choice("kd", "dkd")), KD()) == 3 * 3


def test_trials_that_share_compiled_code_are_those_of_a_pair_a_base_and_a_scale_set(
    space: Callable[..., Path],
) -> None:
    plan = resolve(load_space(space(), ["budget.trials=80"]))  # 2 pairs, 2 bases, 2 scale sets
    assert trials_a_kind(plan, at_once=1) == 10
    assert trials_a_kind(plan, at_once=4) == 2
    assert trials_a_kind(plan, at_once=1000) == 1
