"""``sdd-study enqueue``: what reaches the search's Optuna study, and what is refused before anything does."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from study.journal.journal import Journal
from study.journal.notes import LaunchNote
from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.search.attributes import BY_HAND
from study.search.enqueue import EnqueueDomain, EnqueueTarget, point, searches
from study.spec.domains import Choice
from study.workspace.folder import StudyFolder
from tests.study.commands.conftest import Command
from tests.study.driving import Driven
from trainables.config.serialization import to_plain

Write = Callable[..., Path]
METHODS = """[
    KD(options={"temperature": Float(2, 8)}),
    SDD(base=Choice("kd", "dkd"), alpha=LogFloat(0.25, 4), warmup_epochs=Int(0, 4),
        scales=Choice((1, 2), (1, 2, 4)), options={"dkd": {"beta": Float(1, 8)}}),
],"""


@pytest.fixture
def study(space: Write, tmp_path: Path) -> tuple[StudyFolder, Plan]:
    """As a launch that was stopped in its teachers' stage leaves it."""
    file = space()
    methods = file.read_text().split("methods=")[1].split("\n")[0]
    plan = resolve(load_space(space(**{methods: METHODS})))
    folder = StudyFolder(tmp_path / "results", "small")
    folder.path.mkdir(parents=True)
    (folder.path / "study.json").write_text(json.dumps({**to_plain(plan.spec), "searches": searches(plan)}))
    journal = Journal(folder.journal)
    journal.note(LaunchNote())
    journal.close()
    return folder, plan


def waiting(folder: StudyFolder, plan: Plan, space: int) -> list[optuna.trial.FrozenTrial]:
    name = plan.search_name(plan.search_spaces[space])
    return optuna.load_study(study_name=name, storage=folder.optuna_url).get_trials()


def test_a_configuration_is_queued_as_the_search_would_have_stored_it(
    study: tuple[StudyFolder, Plan], asked: Callable[..., Any]
) -> None:
    folder, plan = study
    pair = plan.search_spaces[1].pairs[1]
    settings = ("alpha=2", "scales=1,2,4", "dkd.beta=3.5", "warmup_epochs=2")
    words = [word for setting in settings for word in ("--set", setting)]
    common = ("--results", folder.results, "--pair", pair.label)
    found = asked("enqueue", "small", *words, "--method", "SD-DKD", *common)
    assert (found["search"], found["trial"], found["taken"]) == ("pairs/SDD", 0, "next launch")
    with folder.lock():
        again = asked("enqueue", "small", *words, "--method", "SD-DKD", *common)
    assert (again["trial"], again["taken"]) == (1, "now")
    for trial in waiting(folder, plan, 1):
        assert trial.state is optuna.trial.TrialState.WAITING
        assert trial.user_attrs[BY_HAND] is True
        fixed = optuna.trial.FixedTrial(trial.system_attrs["fixed_params"])
        method = plan.search_spaces[1].method.suggest(fixed)
        assert (method.base, method.alpha, method.scales) == ("dkd", 2.0, (1, 2, 4))
        assert (method.warmup_epochs, dict(method.options)) == (2, {"dkd": {"beta": 3.5}})
        assert plan.search_spaces[1].pair_domain is not None
        assert plan.search_spaces[1].pair_domain.suggest(fixed, "pair") == pair


def test_what_is_left_open_is_the_samplers(study: tuple[StudyFolder, Plan], command: Command) -> None:
    folder, plan = study
    code, out, _ = command(
        "enqueue", "small", "--set", "kd.temperature=3", "--method", "KD", "--results", folder.results
    )
    assert (code, out) == (
        0,
        "small: queued in pairs/KD as trial 0: kd.temperature=3.0; the next launch runs it\n",
    )
    (trial,) = waiting(folder, plan, 0)
    assert trial.system_attrs["fixed_params"] == {"kd.temperature": 3.0}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--set", "alpha=9"], "--set alpha: 9 is not in Float(low=0.25, high=4"),
        (["--set", "alpha=two"], "--set alpha: two is not in Float("),
        (["--set", "scales=1,4"], "--set scales: 1,4 is not in Choice((1, 2), (1, 2, 4))"),
        (["--set", "warmup_epochs=1.5"], "--set warmup_epochs: 1.5 is not in Int("),
        (["--set", "alhpa=1"], "--set alhpa: pairs/SDD does not search it; did you mean 'alpha'?"),
        (["--set", "dkd.beta=2"], "--set dkd.beta: belongs to the base loss dkd; add --set base=dkd"),
        (["--set", "alpha"], "--set alpha: write it as NAME=VALUE"),
        (["--set", "alpha=1", "--pair", "resnet8-wrn"], "--pair: the study does not search 'resnet8-wrn'"),
        (
            ["--set", "alpha=1", "--method", "SDDD"],
            "--method: the study does not search 'SDDD'; did you mean",
        ),
    ],
)
def test_what_does_not_fit_is_one_line_and_queues_nothing(
    study: tuple[StudyFolder, Plan], command: Command, arguments: list[str], complaint: str
) -> None:
    folder, _ = study
    method = [] if "--method" in arguments else ["--method", "SDD"]
    code, out, said = command("enqueue", "small", *arguments, *method, "--results", folder.results)
    assert (code, out, said.count("\n")) == (2, "", 1)
    assert said.startswith(f"error: {complaint}")
    assert not (folder.path / "optuna.db").exists()


def test_several_searches_have_to_be_told_apart(study: tuple[StudyFolder, Plan], command: Command) -> None:
    code, _, said = command("enqueue", "small", "--set", "alpha=1", "--results", study[0].results)
    assert code == 2
    assert "several searches" in said
    assert "pairs/KD, pairs/SDD" in said


def test_a_search_by_a_function_stores_its_choices_themselves() -> None:
    options = {"width": Choice(1, 2), "deep": Choice("no", "yes")}
    choices = {name: EnqueueDomain(domain, raw=True) for name, domain in options.items()}
    parts = {"directions": ("maximize",), "pairs": ("a-b",), "bases": ("kd",)}
    search = EnqueueTarget("a-b/space", "s/a-b/space@0", method="space", domains=choices, **parts)
    assert point(search, ["width=2", "deep=yes"], None, None) == {"width": 2, "deep": "yes"}


def test_the_search_runs_what_was_queued_before_it_began_and_while_it_ran(
    study: tuple[StudyFolder, Plan], asked: Callable[..., Any]
) -> None:
    folder, plan = study
    common = ("--set", "scales=1,2", "--set", "base=kd", "--method", "SDD", "--results", folder.results)
    asked("enqueue", "small", "--set", "alpha=3.25", *common)
    driven = Driven(plan, folder.path)
    alphas = []
    for number in range(20):
        if number == 2:
            asked("enqueue", "small", "--set", "alpha=3.75", *common)
        config = driven.ask(str(number))
        if config is None:
            break
        assert config.method.logit is not None
        alphas.append(config.method.logit.alpha)
        driven.end(str(number), 10.0, 20.0)
    driven.close()
    assert len(alphas) == plan.spec.budget.trials * len(plan.search_spaces) + 2
    assert {3.25, 3.75} <= set(alphas)
