"""The golden test: made records, and the table they have to give, worked out by hand cell by cell."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from study.journal.curves import LearningCurves
from study.journal.record import TrialRecord
from study.report.tables.cells import TableCell
from study.report.tables.grids import TableGrid, TableRow, paper_grids, study_grid
from study.report.tables.summary import shown, summary
from study.results.frames import RunFrames, from_records, gather
from study.results.loaded_study import LoadedStudy, all_names
from study.results.seed_groups import Tuning
from study.results.seed_groups import confirmed as configurations
from study.spec.methods import KD, SDD, Supervised
from study.spec.study import Confirm
from tests.study.made import CIFAR, PAIR, config, confirmed, failed, record, records, teacher
from trainables.config import Teacher, TrialConfig

COLUMN = "wrn_40_2-vgg8"


def runs(*studies: Sequence[TrialRecord]) -> RunFrames:
    sources = [
        LoadedStudy.of_curves(
            name,
            kept,
            LearningCurves.from_histories(all_names(), [item.history for item in kept]),
            Confirm(seeds=3),
        )
        for name, kept in zip(("one", "two"), studies, strict=False)
    ]
    return gather(sources)


def grid(number: str, *studies: Sequence[TrialRecord], protocols: Sequence[str] = ("last",)) -> TableGrid:
    found = configurations(runs(*studies))
    return next(item for item in paper_grids(found, protocols) if item.name == f"table{number}")


def rows(of: TableGrid) -> dict[str, TableRow]:
    return {row.label: row for row in of.rows}


def cell(of: TableGrid, row: str, column: str = COLUMN) -> TableCell:
    return rows(of)[row].cells[of.columns.index(column)]


GOLDEN = {
    # row: (ours, gain, paper, difference, best)
    "teacher": ("75.50 (1)", None, 75.61, -0.11, False),
    "student": ("70.30 ± 0.20 (3)", None, 70.36, -0.06, False),
    "KD": ("74.05 ± 0.18 (3)", None, 73.97, 0.08, False),
    "SD-KD": ("74.53 ± 0.18 (2 of 3)", 0.475, 74.44, 0.085, False),
    "SD-KD, searched": ("75.00 ± 0.10 (3)", 0.95, 74.44, 0.56, True),
    "DKD": ("—", None, 74.13, None, False),
    "SD-DKD": ("—", None, 74.58, None, False),
    "NKD": ("73.20 ± 0.20 (3)", None, 73.80, -0.60, False),
    "SD-NKD": ("80.00 (1 of 3)", None, 74.34, 5.66, False),
    "CRD": ("—", None, 73.88, None, False),
}


@pytest.mark.parametrize("row", GOLDEN)
def test_every_cell_of_the_pair_in_table_1(row: str) -> None:
    ours, gain, paper, difference, best = GOLDEN[row]
    found = cell(grid("1", records()), row)
    assert found.ours == ours
    assert found.paper == paper
    assert found.difference == (difference if difference is None else pytest.approx(difference))
    assert (found.gain.points if found.gain else None) == (gain if gain is None else pytest.approx(gain))
    assert found.best is best


def test_a_pair_nobody_ran_is_dashes_beside_the_papers_numbers() -> None:
    of = grid("1", records())
    column = of.columns.index("resnet32x4-MobileNetV2")
    assert {row.cells[column].ours for row in of.rows} == {"—"}
    assert cell(of, "SD-KD", "resnet32x4-MobileNetV2").paper == 68.84
    assert of.rows[0].head
    assert of.rows[1].head
    assert not any(row.head for row in of.rows[2:])


def test_a_teacher_of_several_pairs_stands_over_each() -> None:
    of = grid("1", records())
    assert cell(of, "teacher", "wrn_40_2-MobileNetV2").ours == "75.50 (1)"


def test_other_data_and_fewer_epochs_are_marked_and_explained() -> None:
    of = grid("1", records())
    assert cell(of, "NKD").marks == ("100 epochs, the paper's 240",)
    assert cell(of, "SD-NKD").marks == ("on cifar100 (20 classes), the paper's on cifar100",)
    assert cell(of, "KD").marks == ()
    assert of.letters(cell(of, "NKD")) == "a"
    assert of.letters(cell(of, "SD-NKD")) == "b"


def test_a_run_on_the_papers_data_is_preferred_to_one_on_other_data() -> None:
    small = confirmed(PAIR, KD(), (90.0, 91.0, 92.0), data=dataclasses.replace(CIFAR, fraction=0.1))
    found = cell(grid("1", [*small, *records()]), "KD")
    assert found.ours == "74.05 ± 0.18 (3)"
    assert found.marks == ("2 configurations fit here; the summary has all of them",)


def test_a_key_in_two_studies_counts_once() -> None:
    again = [item for item in records() if item.method == "KD"]
    assert cell(grid("1", records(), again), "KD").ours == "74.05 ± 0.18 (3)"


def test_a_trial_that_failed_in_one_study_and_finished_in_another_counts() -> None:
    broken = [failed(item) for item in records() if item.method == "KD"]
    assert cell(grid("1", broken, records()), "KD").ours == "74.05 ± 0.18 (3)"


def test_protocols_side_by_side() -> None:
    watched = [
        record(
            config(PAIR, KD(), seed, test="every", fit="train"),
            [{"val/top1": 60.0, "test/top1": 70.0 + seed}, {"val/top1": 59.0, "test/top1": 71.5},
             {"val/top1": 58.0, "test/top1": 71.0}],
        )
        for seed in (1, 2, 3)
    ]  # fmt: skip
    of = grid("1", watched, protocols=("last", "validation", "best-test"))
    assert cell(of, "KD (last)").ours == "71.00 ± 0.00 (3)"
    assert cell(of, "KD (validation)").ours == "72.00 ± 1.00 (3)"
    assert cell(of, "KD (best-test)").ours == "72.17 ± 0.76 (3)"  # 71.5, 72, 73
    unwatched = grid("1", records(), protocols=("last", "best-test"))
    assert cell(unwatched, "KD (best-test)").ours == "—"


def test_ablations_find_their_settings() -> None:
    pair = ("resnet32x4", "ShuffleV1")
    made = [
        *confirmed(pair, KD(), (74.0,)),
        *confirmed(pair, SDD(), (76.0,)),
        *confirmed(pair, SDD(scales=(1, 2)), (75.0,)),
        *confirmed(pair, SDD(beta=8.0), (75.5,)),
        *confirmed(pair, SDD(beta=0.0), (75.2,)),
        *confirmed(pair, SDD(consistent_weight=0.0), (75.3,)),
    ]
    column = "resnet32x4-ShuffleV1"
    assert cell(grid("2", made), "SD-KD", column).mean == 76.0
    assert cell(grid("6", made), "SD-KD consistent", column).mean == 75.2
    assert cell(grid("6", made), "SD-KD complementary", column).mean == 75.3
    assert cell(grid("6", made), "SD-KD fusion", column).mean == 76.0
    assert cell(grid("7", made), "SD-KD {1,2}", column).mean == 75.0
    assert cell(grid("7", made), "KD {1}", column).mean == 74.0
    assert cell(grid("8", made), "SD-KD {1,2,4} beta 8", column).mean == 75.5
    assert cell(grid("8", made), "SD-KD {1,2,4} beta 2", column).mean == 76.0
    assert cell(grid("8", made), "SD-KD {1,2,4} beta 1", column).ours == "—"


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


def test_the_summary_has_every_configuration() -> None:
    table = summary(configurations(from_records("one", records(), asked=Confirm(seeds=3))))
    cells = {(line[1], line[2]): line[4:] for line in shown(table)}
    assert cells["KD", ""] == ["74.05 ± 0.18", "3", "—", "—"]
    assert cells["SD-KD (paper)", "{1,2,4} alpha 0.9 beta 2"] == ["74.53 ± 0.18", "2 of 3", "+0.48", "0.084"]
    assert cells["SD-KD", "{1,2,4} alpha 1.5 beta 3"] == ["75.00 ± 0.10", "3", "+0.95", "0.0035 (0.0071)"]
    assert len(table) == 6


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
