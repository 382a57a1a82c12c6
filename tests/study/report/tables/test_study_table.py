"""The table of any study: what stands beside what, with the gain, under the teacher that was learnt from."""

from __future__ import annotations

import dataclasses

import pytest

from study.journal.record import TrialRecord
from study.report.tables.study_table import study_grid
from study.results.seed_groups import Tuning
from study.results.seed_groups import confirmed as configurations
from study.spec.methods import KD, SDD, Supervised
from tests.study.made import config, confirmed, record, teacher
from tests.study.report.tables.test_paper_grid import cell, grid, runs
from trainables.config import Teacher, TrialConfig


def test_any_study_has_its_table_with_the_gain_beside() -> None:
    made = [teacher("resnet20", 80.0), *confirmed(("resnet20", "resnet8"), KD(), (70.0, 71.0, 72.0)),
            *confirmed(("resnet20", "resnet8"), SDD(), (72.0, 73.0, 74.0))]  # fmt: skip
    of = study_grid(configurations(runs(made)), ["last"])
    assert of.columns == ("teacher", "student", "KD", "SD-KD")
    (row,) = of.rows
    assert [found.ours for found in row.cells] == [
        "80.00 (1)", "—", "71.00 ± 1.00 (3)", "73.00 ± 1.00 (3)"
    ]  # fmt: skip
    assert row.cells[3].best
    assert row.cells[3].gain is not None
    assert row.cells[3].gain.points == pytest.approx(2.0)


def test_what_a_search_chose_stands_beside_what_others_chose_be_it_the_papers() -> None:
    pairs = ("resnet20", "resnet8"), ("resnet20", "wrn_16_1")
    made = [r for pair in pairs for kind, top1 in ((KD(), 70.0), (SDD(), 72.0))
            for r in confirmed(pair, kind, (top1, top1 + 1, top1 + 2))]  # fmt: skip
    tuned = [
        dataclasses.replace(item, tuning=Tuning(6, ("lr",)), searched=item.student == "resnet8")
        for item in configurations(runs(made))
    ]
    table = study_grid(tuned, ["last"])
    assert table.columns == ("teacher", "student", "KD, searched", "SD-KD, searched")
    assert [row.cells[3].ours for row in table.rows] == ["73.00 ± 1.00 (3)"] * 2
    assert [row.cells[3].gain.points for row in table.rows if row.cells[3].gain] == [2.0, 2.0]
    untuned = [dataclasses.replace(i, tuning=None) if i.student == "resnet8" and i.method == "KD" else i
               for i in tuned]  # fmt: skip
    table = study_grid(untuned, ["last"])
    assert table.columns == ("teacher", "student", "KD", "KD, searched", "SD-KD, searched")
    assert [cell.ours for cell in table.rows[1].cells[2:4]] == ["71.00 ± 1.00 (3)"] * 2, "it is both"


def given(name: str, weights: str, top1: float) -> TrialRecord:
    """A teacher whose weights were given, measured."""
    about = config(("", name), Supervised(), 0, epochs=1, fit="all", test="end", weights=weights)
    return record(about, [{"test/top1": top1}], stage="teachers", role="given")


def taught_by(weights: str, student: str, top1: float) -> list[TrialRecord]:
    """Students of a pair with ``wrn_40_2``, whose weights are these."""
    made = confirmed(("wrn_40_2", student), KD(), (top1, top1 + 1))
    configs = [TrialConfig.from_dict(item.config) for item in made]
    taught = [dataclasses.replace(c, teacher=Teacher(name="wrn_40_2", weights=weights)) for c in configs]
    return [
        dataclasses.replace(item, key=about.trial_key, config=about.to_dict())
        for item, about in zip(made, taught, strict=True)
    ]


def test_each_pair_shows_the_teacher_its_students_learnt_from() -> None:
    """Two pairs with one teacher's network from two files, beside one that was trained."""
    kept = [
        given("wrn_40_2", "aa" * 32, 75.0),
        given("wrn_40_2", "bb" * 32, 60.0),
        teacher("wrn_40_2", 70.0),
        *taught_by("aa" * 32, "vgg8", 74.0),
        *taught_by("bb" * 32, "resnet20", 59.0),
        *taught_by("cc" * 32, "wrn_16_2", 69.0),
    ]
    table = study_grid(configurations(runs(kept)), ["last"])
    shown = {row.label: (row.cells[0].mean, row.cells[0].marks) for row in table.rows}
    measured = ("weights that were given, measured here and not trained",)
    assert shown == {
        "wrn_40_2-vgg8": (75.0, measured),
        "wrn_40_2-resnet20": (60.0, measured),
        "wrn_40_2-wrn_16_2": (70.0, ()),
    }
    assert cell(grid("1", kept), "teacher").mean == 75.0
