"""How a front grew and who kept within limits, from the journal alone."""

from __future__ import annotations

import dataclasses

import pytest

from study.journal.record import TrialRecord
from study.report.figures.page_charts import hypervolume
from study.results.frames import from_records
from study.results.front import hypervolume_frame, limits_frame
from study.results.loaded_study import SearchGoals
from study.search.objectives import Objectives
from study.spec.methods import KD
from tests.study.made import config, record

COSTS = {"resnet20-resnet8": {"student/parameters": 10.0}, "resnet20-vgg8": {"student/parameters": 100.0}}
GOALS = SearchGoals(
    Objectives(
        ("val/top1", "student/parameters"),
        limits={"student/parameters": 50.0, "val/loss": 1.0},
        costs=COSTS,
    )
)


def trial(student: str, top1: float, loss: float, number: int, status: str = "done") -> TrialRecord:
    """A trial of the one search."""
    about = config(("resnet20", student), KD(), seed=number, epochs=1)
    history = [{"val/top1": top1, "val/loss": loss}]
    made = record(about, history, stage="search", status=status, number=number)
    return dataclasses.replace(made, search="pairs/KD")


TRIALS = [
    trial("vgg8", 60.0, 0.9, 0),
    trial("resnet8", 50.0, 1.5, 1),
    trial("resnet8", 55.0, 0.8, 2),
    trial("resnet8", 99.0, 0.1, 3, "stopped"),
]


def test_the_volume_grows_with_the_front() -> None:
    runs = from_records("made", TRIALS, goals=GOALS)
    grown = hypervolume_frame(runs)
    assert grown["trial"].tolist() == [1, 2, 3]
    assert grown["trial_key"].tolist() == [record.key for record in TRIALS[:3]]
    assert grown["hypervolume"].tolist() == pytest.approx([0.0, 0.0, 5.0 * 90.0])
    chart = hypervolume(runs)
    assert chart is not None
    assert chart["series"][0]["points"][-1] == [3, 450.0]
    alone = from_records("made", TRIALS)
    assert hypervolume_frame(alone).empty
    assert hypervolume(alone) is None


def test_limits_say_what_the_student_has_and_how_many_trials_were_within() -> None:
    rows = limits_frame(from_records("made", TRIALS, goals=GOALS))
    about = {(row.pair, row.limited): (row.trials, row.within) for row in rows.itertuples()}
    assert about == {
        ("resnet20-resnet8", "student/parameters"): (3, 3),
        ("resnet20-resnet8", "val/loss"): (3, 2),
        ("resnet20-vgg8", "student/parameters"): (1, 0),
        ("resnet20-vgg8", "val/loss"): (1, 1),
    }
    assert rows["of the student"].tolist()[0] == 10.0
    assert limits_frame(from_records("made", TRIALS)).empty
