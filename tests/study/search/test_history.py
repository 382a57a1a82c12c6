"""Records as history of a search: what fits the present space, and Optuna's database made anew."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.storages import BaseStorage, InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from study.journal.journal import read_records
from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.search.optuna_storage import open_optuna_storage
from tests.study.conftest import SPACE
from tests.study.driving import Driven, keys

Write = Callable[..., Path]
ALPHA = {"alpha=LogFloat(0.25, 4)": "alpha=LogFloat(0.25, 8)"}


def run(plan: Plan, folder: Path, storage: BaseStorage | None = None) -> Driven:
    """A search of six: three done, one stopped, one failed, one cut off; without a database that lasts."""
    driven = Driven(plan, folder, storage or InMemoryStorage())
    for n in range(6):
        assert driven.ask(str(n)) is not None
    for n in range(3):
        driven.end(str(n), 40.0 + n, 50.0 + n)
    driven.end("3", 30.0, status="stopped")
    driven.end("4", status="failed")
    driven.report("5", 20.0)
    driven.close()
    return driven


def told(driven: Driven) -> list[tuple[object, ...]]:
    """What Optuna knows of each trial that has ended."""
    trials: list[FrozenTrial] = [t for t in driven.searchers[0].study.trials if t.state.is_finished()]
    found = [(t.user_attrs["trial_key"], t.params, t.state, t.values, t.intermediate_values) for t in trials]
    return sorted(found, key=lambda item: str(item[0]))


@pytest.fixture
def plan(space: Write) -> Plan:
    return resolve(load_space(space(), ["budget.trials=8"]))


def test_the_journal_keeps_the_point_of_each_trial(plan: Plan, tmp_path: Path) -> None:
    before = run(plan, tmp_path)
    points = [record.point for record in read_records(before.journal.path).values()]
    assert points == [t.params for t in before.searchers[0].study.trials[:6]]
    assert points[0] == {"pair": "resnet8-wrn_10_1", "base": "kd", "alpha": 0.9, "scales": "1,2,4"}


@pytest.fixture(scope="module")
def cut_off(tmp_path_factory: pytest.TempPathFactory) -> tuple[Plan, Path, Driven]:
    """A study, its folder with journal and SQLite database after a crash, and what was run."""
    folder = tmp_path_factory.mktemp("cut_off")
    (folder / "small.py").write_text(SPACE.format(extra=""))
    plan = resolve(load_space(folder / "small.py", ["budget.trials=8"]))
    return plan, folder, run(plan, folder, open_optuna_storage(f"sqlite:///{folder / 'optuna.db'}"))


@pytest.mark.parametrize("damage", ["lost", "torn", "overwritten", "emptied"])
def test_a_lost_or_damaged_database_is_made_anew(
    cut_off: tuple[Plan, Path, Driven], tmp_path: Path, damage: str
) -> None:
    plan, folder, before = cut_off
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    file = tmp_path / "optuna.db"
    if damage == "lost":
        file.unlink()
    elif damage == "torn":
        file.write_bytes(file.read_bytes()[:6000])
    elif damage == "overwritten":
        file.write_bytes(b"not a database" * 1000)
    else:
        file.write_bytes(b"")
    again = Driven(plan, tmp_path)
    assert told(again) == told(before)
    aside = list(tmp_path.glob("optuna.damaged-*.db"))
    assert len(aside) == len(again.said) == (damage in ("torn", "overwritten"))
    assert all("Optuna's database is damaged" in line and aside[0].name in line for line in again.said)
    assert again.search.left() == 3  # 8, of which 5 have ended and one goes on
    assert keys([again.ask("b")]) == [before.planned_trials["5"].key]
    rest = keys([again.ask("c0"), again.ask("c1")])
    assert not set(rest) & {planned.key for planned in before.planned_trials.values()}
    assert again.ask("d") is None


def test_what_a_damaged_journal_has_lost_of_a_trial_is_asked_for_again(
    cut_off: tuple[Plan, Path, Driven], tmp_path: Path
) -> None:
    """Optuna's database is ahead of the journal: all lines of a trial are taken out, or the last ones."""
    plan, folder, before = cut_off
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    journal, lost = tmp_path / "journal.jsonl", before.planned_trials["1"].key
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(line for line in lines if lost.encode() not in line))
    again = Driven(plan, tmp_path)
    assert again.search.left() == 4
    asked = keys([again.ask("a"), again.ask("b")])
    assert sorted(asked) == sorted([lost, before.planned_trials["5"].key])
    again.close()

    journal.write_bytes(b"".join(lines[: len(lines) // 2]))
    kept = {key for key, record in read_records(journal).items() if record.status == "done"}
    again = Driven(plan, tmp_path)
    assert again.search.left() == 8 - len(kept)
    assert {name for name, _, state, *_ in told(again) if state is TrialState.COMPLETE} >= kept


def test_a_wider_space_keeps_all_and_a_narrower_one_what_fits(space: Write, tmp_path: Path) -> None:
    seven = ["budget.trials=7", "search.sampler=random"]
    before = run(resolve(load_space(space(), seven)), tmp_path)
    ended = [item[0] for item in told(before)]

    wider = Driven(resolve(load_space(space(**ALPHA), seven)), tmp_path, InMemoryStorage())
    assert wider.searchers[0].study.study_name != before.searchers[0].study.study_name
    assert [item[0] for item in told(wider)] == ended
    wider.close()

    narrow = {
        "alpha=LogFloat(0.25, 4)": "alpha=LogFloat(0.25, 1)",
        "base=Choice": "ce_weight=0.1, base=Choice",
    }
    narrower = Driven(resolve(load_space(space(**narrow), seven)), tmp_path, InMemoryStorage())
    methods = {key: narrower.journal.records[str(key)].config["method"] for key in ended}
    fits = [key for key, m in methods.items() if m["logit"]["alpha"] <= 1 and m["ce_weight"] == 0.1]
    assert 0 < len(fits) < len(ended)
    assert [item[0] for item in told(narrower)] == fits
    assert len(narrower.journal.records) == 6, "the rest stays in the records"


def test_a_knob_that_was_fixed_and_is_searched_now_keeps_history(space: Write, tmp_path: Path) -> None:
    before = run(resolve(load_space(space(), ["budget.trials=6"])), tmp_path)
    freed = resolve(
        load_space(space(**{"alpha=LogFloat(0.25, 4)": "alpha=LogFloat(0.25, 4), beta=Float(1, 8)"}))
    )
    again = Driven(freed, tmp_path, InMemoryStorage())
    assert [item[0] for item in told(again)] == [item[0] for item in told(before)]
    assert {t.params["beta"] for t in again.searchers[0].study.trials if t.state.is_finished()} == {2.0}


@pytest.mark.parametrize(
    "override", ["training.lr=0.01", "search.seed=1", "data.options={'scenes': 120, 'test': 100}"]
)
def test_trials_of_another_setting_do_not_fit(space: Write, tmp_path: Path, override: str) -> None:
    run(resolve(load_space(space(), ["budget.trials=6"])), tmp_path)
    other = Driven(resolve(load_space(space(), ["budget.trials=6", override])), tmp_path, InMemoryStorage())
    assert told(other) == []
    assert other.search.left() == 6
    assert other.history.of(other.searchers[0].space) == []


def test_a_search_that_was_renamed_keeps_its_history(space: Write, tmp_path: Path) -> None:
    before = run(resolve(load_space(space(), ["budget.trials=6"])), tmp_path)
    more = {"methods=[KD(), ": "methods=[KD(), SDD(base=Choice('dkd', 'nkd')), "}
    again = Driven(resolve(load_space(space(**more), ["budget.trials=6"])), tmp_path, InMemoryStorage())
    assert [searcher.space.label for searcher in again.searchers] == ["pairs/SDD.1", "pairs/SDD.2"]
    second = [t for t in again.searchers[1].study.trials if t.state.is_finished()]
    assert sorted(t.user_attrs["trial_key"] for t in second) == [item[0] for item in told(before)]


def test_a_trial_stopped_by_a_spent_budget_goes_on_when_there_is_more(plan: Plan, tmp_path: Path) -> None:
    first = Driven(plan, tmp_path, InMemoryStorage())
    config = first.ask("0")
    first.report("0", 10.0)
    first.journal.end(first.planned_trials["0"].key, "stopped", "budget.hours: spent")
    first.close()
    again = Driven(plan, tmp_path, InMemoryStorage())
    assert again.searchers[0].study.trials[0].state is TrialState.WAITING
    assert keys([again.ask("b")]) == keys([config])
