"""The golden test: made records, and the table they have to give, worked out by hand cell by cell."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pytest

from study.journal.curves import LearningCurves
from study.journal.record import TrialRecord
from study.report.tables.cells import TableCell
from study.report.tables.grids import TableGrid, TableRow
from study.report.tables.paper_grid import paper_grids
from study.report.tables.summary import shown, summary
from study.results.frames import RunFrames, from_records, gather
from study.results.loaded_study import LoadedStudy, all_names
from study.results.seed_groups import confirmed as configurations
from study.spec.methods import KD, SDD
from study.spec.study import Confirm
from tests.study.made import CIFAR, PAIR, config, confirmed, failed, record, records

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


def test_the_summary_has_every_configuration() -> None:
    table = summary(configurations(from_records("one", records(), asked=Confirm(seeds=3))))
    cells = {(line[1], line[2]): line[4:] for line in shown(table)}
    assert cells["KD", ""] == ["74.05 ± 0.18", "3", "—", "—"]
    assert cells["SD-KD (paper)", "{1,2,4} alpha 0.9 beta 2"] == ["74.53 ± 0.18", "2 of 3", "+0.48", "0.084"]
    assert cells["SD-KD", "{1,2,4} alpha 1.5 beta 3"] == ["75.00 ± 0.10", "3", "+0.95", "0.0035 (0.0071)"]
    assert len(table) == 6
