"""Budgets of time and target: counted over launches, the end is said, and more of it goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from optuna.storages import InMemoryStorage

from study.journal.launches import search_seconds
from study.journal.notes import Note, note_of
from study.journal.record import MetricHistory, TrialRecord
from study.loading import load_space
from study.plan.resolve import resolve
from study.plan.trial import StageName
from study.search.budget import BudgetMeter
from study.spec.search import Budget
from tests.study.driving import Driven
from trainables.config import ConfigError

Write = Callable[..., Path]


def record(
    key: str, started: float, *times: float, stage: StageName = "search", ended: float | None = None
) -> TrialRecord:
    history = MetricHistory.of({"epoch": float(n), "time/epoch_s": 1800.0} for n in range(1, len(times) + 1))
    return TrialRecord(
        key, stage, "p", "m", "", "a", {}, started, ended=ended, history=history, times=list(times)
    )


def note(kind: str, time: float, **more: Any) -> Note:
    return note_of({"type": kind, "time": time, **more})


NOTES = [
    note("launch", 0),
    note("stage", 0, stage="teachers"),
    note("slots", 0, slots=2, cpus=1, gpus=0.5),
    note("stage", 100, stage="search"),
    note("stage", 400, stage="confirm"),  # 300 s
    note("leave", 500, outcome="done"),
    note("launch", 1000),
    note("stage", 1000, stage="search"),  # killed; last heard of at 1250
    note("launch", 9000),
    note("stage", 9000, stage="search"),
    note("leave", 9050, outcome="interrupted"),  # 50 s
]


def test_wall_clock_is_that_of_the_search_stage_of_all_launches() -> None:
    records = [
        record("a", 110, 200, 300, ended=390),
        record("b", 1010, 1100, 1250),
        record("t", 10, 9900, stage="teachers"),
    ]
    assert search_seconds(NOTES, records) == 300 + 250 + 50


def test_hours_and_device_hours_end_a_search() -> None:
    records = {r.key: r for r in (record("a", 110, 200, 300, ended=390), record("b", 1010, 1100))}
    now = [20000.0]
    spending = BudgetMeter(Budget(hours=0.5, device_hours=1.0), records, NOTES, lambda: now[0])
    assert spending.hours == pytest.approx((300 + 100 + 50) / 3600)
    assert spending.device_hours == pytest.approx(
        3 * 0.5 * 0.5
    )  # three epochs of half an hour, on half a GPU
    assert spending.over() is None
    now[0] += 1400
    assert spending.over() == "budget.hours: 0.514 of 0.5 are spent"
    now[0] -= 1400
    records["b"].history.append({"epoch": 2.0, "time/epoch_s": 3600.0})
    spending.heard("b")
    assert spending.over() == "budget.device_hours: 1.25 of 1 are spent"


def test_a_spent_budget_ends_running_trials_and_more_of_it_goes_on(space: Write, tmp_path: Path) -> None:
    plan = resolve(
        load_space(space(), ["budget.device_hours=0.001", "search.stop=None", "training.epochs=4"])
    )
    storage = InMemoryStorage()
    first = Driven(plan, tmp_path, storage)
    config = first.ask("0")
    assert config is not None
    assert first.epoch("0", 1, 50.0, seconds=3.0)
    assert first.epoch("0", 2, 51.0, seconds=3.0), "what an epoch took is counted when it is in the journal"
    assert not first.epoch("0", 3, 52.0)
    key = first.planned_trials["0"].key
    ended = first.journal.records[key]
    reason = "budget.device_hours: 0.00167 of 0.001 are spent"
    assert (ended.status, ended.reason, len(ended.history)) == ("stopped", reason, 3)
    assert first.ask("1") is None
    assert first.search.ended() == {"pairs/SDD": reason}
    first.close()

    same = Driven(plan, tmp_path, storage)
    assert same.search.left() == 0
    assert same.ask("a") is None
    same.close()
    more = Driven(
        resolve(load_space(space(), ["budget.device_hours=1", "search.stop=None", "training.epochs=4"])),
        tmp_path,
        storage,
    )
    assert more.search.left() == 3
    asked = [more.ask(f"b{n}") for n in range(3)]
    assert key in [c.trial_key for c in asked if c]


def test_a_target_ends_the_search_that_reached_it(space: Write, tmp_path: Path) -> None:
    plan = resolve(load_space(space(), ["budget.target=60", "search.pairs=each", "search.stop=None"]))
    storage = InMemoryStorage()
    first = Driven(plan, tmp_path, storage)
    for n in range(4):
        first.ask(str(n))
    first.epoch("0", 1, 70.0)  # not yet a whole trial's
    assert first.search.ended() == {}
    first.epoch("0", 2, 61.0)
    reached = f"budget.target: 60 is reached by {first.planned_trials['0'].key} with 61.00"
    assert first.search.ended() == {first.planned_trials["0"].search: reached}
    same_search = next(
        n for n in ("2", "3") if first.planned_trials[n].search == first.planned_trials["0"].search
    )
    assert not first.epoch(same_search, 1, 10.0)
    assert first.epoch("1", 1, 10.0), "the other pair's search goes on"
    first.close()
    again = Driven(plan, tmp_path, storage)
    assert again.search.ended() == {first.planned_trials["0"].search: reached}
    assert again.ask("b") is not None
    assert again.planned_trials["b"].search == first.planned_trials["1"].search


@pytest.mark.parametrize("name", ["hours", "device_hours"])
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_times_are_above_0(name: str, value: float) -> None:
    with pytest.raises(ConfigError, match=f"{name}: {value} is not above 0"):
        Budget(**{name: value})  # type: ignore[arg-type]
