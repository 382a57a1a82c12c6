"""One contract for every sampler and every scheduler: a budget is kept, a crash repeats and loses nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
from optuna.storages import BaseStorage, InMemoryStorage

from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.spec import ASHA, HyperBand, Median, Search
from tests.study.driving import Driven

Write = Callable[..., Path]
SAMPLERS = get_args(get_args(get_type_hints(Search)["sampler"])[0])
STOPS = {"none": "None", "asha": "ASHA(grace=1, reduction=2)", "median": "Median(grace=1, min_trials=2)"}
STOPS["hyperband"] = "HyperBand(grace=1, reduction=2, brackets=2)"
TRIALS = 8


def study(space: Write, sampler: str = "random", stop: str = "None", *more: str) -> Plan:
    """Eight trials of four epochs, over finite domains where the sampler is a grid."""
    file = space(**{"stop=ASHA(grace=1, reduction=2)": f"stop={stop}", "epochs=2": "epochs=4"})
    if sampler == "grid":
        file.write_text(file.read_text().replace("LogFloat(0.25, 4)", "Float(1, 3, step=1)"))
    return resolve(load_space(file, [f"budget.trials={TRIALS}", f"search.sampler={sampler}", *more]))


def value(driven: Driven, trial_id: str, epoch: int) -> float:
    """What a trial of this point would have reached: a function of the point alone."""
    point = driven.planned_trials[trial_id].point
    return 10.0 * epoch + 5.0 * float(point["alpha"]) + (1.0 if point.get("base") == "dkd" else 0.0)


def run(driven: Driven, most: int = 1000, at_once: int = 2) -> dict[str, int]:
    """Epochs by key, of trials run ``at_once`` at a time until none is left, or ``most`` epochs are over."""
    got: dict[str, int] = {}
    running: dict[str, int] = {}
    number = 0
    while most > 0:
        while len(running) < at_once and driven.ask(f"{id(driven)}-{number}") is not None:
            running[f"{id(driven)}-{number}"] = 0
            number += 1
        if not running:
            break
        trial_id = min(running, key=lambda name: running[name])
        running[trial_id] += 1
        most -= 1
        goes_on = driven.epoch(trial_id, running[trial_id], value(driven, trial_id, running[trial_id]))
        if not goes_on:
            got[driven.planned_trials[trial_id].key] = running.pop(trial_id)
    return got


def launches(plan: Plan, folder: Path, lose_database: bool = False) -> Driven:
    """A search that is killed after nine epochs, and run to its end by the next launch."""
    storage: BaseStorage = InMemoryStorage()
    first = Driven(plan, folder, storage)
    run(first, most=9)
    first.close()
    again = Driven(plan, folder, InMemoryStorage() if lose_database else storage)
    run(again)
    again.close()
    return again


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_sampler_keeps_the_budget_and_goes_on_after_a_crash(
    space: Write, tmp_path: Path, sampler: str
) -> None:
    plan = study(space, sampler)
    undisturbed = Driven(plan, tmp_path / "undisturbed", InMemoryStorage())
    whole = run(undisturbed)
    assert list(whole.values()) == [4] * TRIALS
    assert undisturbed.search.left() == 0
    assert undisturbed.search.ended() == {"pairs/SDD": "budget.trials: 8 of 8 are done"}
    for lose in (True,) if sampler == "gp" else (False, True):  # gp takes a second a trial
        again = launches(plan, tmp_path / str(lose), lose)
        records = again.journal.records
        assert len(records) == TRIALS, "a trial was drawn twice, lost, or drawn beyond the budget"
        assert [len(record.history) for record in records.values()] == [4] * TRIALS
        assert list(records)[:2] == list(undisturbed.journal.records)[:2], "the paper's come first"
        if sampler in ("random", "grid"):
            assert set(records) == set(whole), "trials that are fixed beforehand are the same"


@pytest.mark.parametrize("stop", STOPS)
def test_every_scheduler_goes_on_by_the_same_standards(space: Write, tmp_path: Path, stop: str) -> None:
    plan = study(space, "random", STOPS[stop], "budget.trials=12")
    undisturbed = Driven(plan, tmp_path / "undisturbed", InMemoryStorage())
    whole = run(undisturbed)
    assert set(whole.values()) == {4} if stop == "none" else 4 in whole.values()
    assert (stop == "none") == (min(whole.values()) == 4), "something is stopped"
    again = launches(plan, tmp_path / "killed")
    got = {record.key: len(record.history) for record in again.journal.records.values()}
    assert got == whole
    statuses = {record.key: record.status for record in again.journal.records.values()}
    assert statuses == {key: "done" if epochs == 4 else "stopped" for key, epochs in whole.items()}


def test_the_table_of_schedulers_is_whole() -> None:
    assert {type(stop()) for stop in (ASHA, HyperBand, Median)} | {type(None)} == set(
        get_args(get_type_hints(Search)["stop"])
    )


def test_other_seeds_draw_others_and_the_same_seed_the_same(space: Write, tmp_path: Path) -> None:
    keys: list[Any] = []
    for number, seed in enumerate((0, 0, 1)):
        driven = Driven(
            study(space, "random", "None", f"search.seed={seed}"), tmp_path / str(number), InMemoryStorage()
        )
        run(driven)
        keys.append([record.point for record in driven.journal.records.values()][2:])
    assert keys[0] == keys[1]
    assert keys[0] != keys[2]


def test_searches_of_a_study_do_not_stop_each_others_trials(space: Write, tmp_path: Path) -> None:
    plan = study(space, "random", STOPS["asha"], "search.pairs=each", "budget.trials=1")
    driven = Driven(plan, tmp_path, InMemoryStorage())
    for trial_id in ("0", "1"):
        driven.ask(trial_id)
    assert driven.planned_trials["0"].pair != driven.planned_trials["1"].pair
    assert driven.epoch("0", 1, 90.0)
    assert driven.epoch("1", 1, 10.0), "the student of the other pair was compared with this one"


@pytest.mark.parametrize("sampler", ["tpe", "random", "nsga2"])
def test_a_finite_space_is_searched_to_its_end_and_no_further(
    space: Write, tmp_path: Path, sampler: str
) -> None:
    file = space(**{"LogFloat(0.25, 4)": "Choice(1.0, 2.0)", "stop=ASHA(grace=1, reduction=2)": "stop=None"})
    plan = resolve(load_space(file, ["budget.trials=40", f"search.sampler={sampler}", "methods.1.base=dkd"]))
    driven = Driven(plan, tmp_path, InMemoryStorage())
    got = run(driven)
    assert len(got) == 8  # two pairs, two alphas, two scale sets
    assert driven.search.ended() == {"pairs/SD-DKD": "all of the space is known after 8 trials"}


def test_a_trial_whose_process_was_lost_is_not_judged_again(space: Write, tmp_path: Path) -> None:
    driven = Driven(study(space, "random", STOPS["asha"]), tmp_path, InMemoryStorage())
    driven.ask("0")
    assert driven.epoch("0", 1, 10.0)
    driven.ask("1")
    assert driven.epoch("1", 1, 90.0)
    assert driven.epoch("0", 1, 10.0), "it passed this rung when it was the first there"
    assert driven.epoch("1", 2, 91.0)
    assert not driven.epoch("0", 2, 11.0)
