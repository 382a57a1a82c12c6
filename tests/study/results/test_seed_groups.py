"""What a confirmed configuration was found by, and that the tuned are compared with the tuned."""

from __future__ import annotations

import dataclasses
from typing import Any

from study.journal.record import TrialRecord
from study.report.figures import chart_data as charts
from study.report.figures.page_charts import page_charts
from study.report.tables.summary import shown, summary
from study.results import selection
from study.results.frames import TRIAL_COLUMNS, from_records
from study.results.importance import importances
from study.results.seed_groups import confirmed
from study.spec.distillation import Distillation
from study.spec.methods import KD, SDD
from tests.study.made import PAIR, config, record
from trainables.config import Training, TrialConfig


def trained(method: Distillation, seed: int, training: dict[str, Any], **fields: Any) -> TrialConfig:
    """A configuration whose students are trained so."""
    made = config(PAIR, method, seed, epochs=4, **fields)
    usual = {"epochs": 4, "precision": "float32"}
    return dataclasses.replace(made, training=Training(**{**usual, **training}))


def tuned(method: Distillation, label: str, top1: float, count: int = 6) -> list[TrialRecord]:
    """A search over the rate and, for a step schedule, its milestones; its last trial is confirmed."""
    records = []
    for number in range(count):
        point: dict[str, Any] = {"lr": 0.01 * (number + 1), "schedule": ("cosine", "step")[number % 2]}
        training = dict(point)
        if point["schedule"] == "step":
            point["milestones"] = ("1", "2")[number // 2 % 2]
            training["milestones"] = (int(point["milestones"]),)
        about = trained(method, 0, training)
        made = record(about, [{"val/top1": 40.0 + number + top1 / 100}], "search", role="", number=number)
        records.append(dataclasses.replace(made, search=f"wrn_40_2-vgg8/{label}", point=point))
    for seed in (1, 2):
        about = trained(method, seed, training, fit="all", test="end")
        records.append(record(about, [{"test/top1": top1 + seed / 10}], role="best"))
    paper = trained(method, 1, {"lr": 0.05}, fit="all", test="end")
    records.append(record(paper, [{"test/top1": top1 - 5}], role="paper"))
    return records


RECORDS = [*tuned(KD(), "KD", 70.0), *tuned(SDD(), "SD-KD", 73.0)]


def test_a_row_says_by_how_many_trials_it_was_found_and_over_what() -> None:
    rows = {(line[1], line[2]): line for line in shown(summary(confirmed(from_records("made", RECORDS))))}
    best = rows["SD-KD", "{1,2,4} alpha 0.9 beta 2 lr 0.06 schedule step milestones 1"]
    assert best[3] == "6 trials: lr, schedule, milestones"
    assert rows["SD-KD (paper)", "{1,2,4} alpha 0.9 beta 2"][3] == "—"


def test_a_plain_loss_shows_the_weight_that_was_searched() -> None:
    records = tuned(KD(alpha=1.5), "KD", 70.0)
    for item in records:
        item.point = {**item.point, "alpha": 1.5} if item.point else {}
    rows = shown(summary(confirmed(from_records("made", records))))
    assert "alpha 1.5" in next(row[2] for row in rows if row[3] != "—")
    assert all("{1}" not in row[2] for row in rows)


def test_the_tuned_is_compared_with_the_tuned_and_the_papers_with_the_papers() -> None:
    table = summary(confirmed(from_records("made", RECORDS))).set_index(["method", "role"])
    assert abs(table.loc[("SD-KD", "best"), "gain"] - 3.0) < 1e-9
    assert abs(table.loc[("SD-KD", "paper"), "gain"] - 3.0) < 1e-9
    assert table.loc[("KD", "best"), "trials"] == 6
    assert table.loc[("KD", "paper"), "trials"] == 0


def test_what_was_searched_has_a_column_of_its_own() -> None:
    runs = from_records("made", RECORDS)
    assert list(runs.trials.columns) == [*TRIAL_COLUMNS, "lr", "schedule", "milestones"]
    assert list(runs.trials.columns[9:13]) == ["base", "scales", "alpha", "beta"]
    first = runs.trials.iloc[1]
    assert (first["lr"], first["schedule"], first["milestones"]) == (0.02, "step", "1")
    assert not runs.trials.loc[runs.trials["role"] == "best", "published"].any(), (
        "the rate is not the paper's"
    )


def test_charts_and_importances_take_what_was_searched_conditional_knobs_too() -> None:
    runs = from_records("made", RECORDS)
    trials = selection.searched(runs)
    assert charts.axes_of(trials) == ["scales", "beta", "lr", "schedule", "milestones"]
    heats = [heat.names for heat in charts.heats(trials)]
    assert heats == [("scales", "alpha"), ("beta", "lr"), ("schedule", "milestones")]
    found = importances(runs)
    assert {"lr", "schedule", "milestones"} == set(found["parameter"])
    assert set(found["measure"]) == {"ped_anova"}
    assert set(importances(runs, "fanova")["parameter"]) == {"lr", "schedule"}


def test_a_knob_that_may_be_left_out_has_an_importance_and_charts() -> None:
    records = []
    for number in range(8):
        decay = None if number % 2 else 0.9
        about = trained(SDD(beta=1.0 + number), 0, {"ema_decay": decay})
        made = record(about, [{"val/top1": 40.0 + number}], "search", role="", number=number)
        point = {"ema_decay": str(decay), "beta": 1.0 + number}
        records.append(dataclasses.replace(made, search="made/SD-KD", point=point))
    runs = from_records("made", records)
    for evaluator in (None, "fanova", "ped_anova"):
        assert {"ema_decay", "beta"} == set(importances(runs, evaluator)["parameter"])
    titles = [chart["title"] for chart in page_charts(runs, summary([]))]
    assert "Accuracy against beta" in titles
