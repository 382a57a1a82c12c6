"""The league table, worked out by hand from made records."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from study.journal.record import TrialRecord
from study.report.render.html_page import grid_html
from study.report.render.latex import latex
from study.report.render.text import markdown, tidy, wide
from study.report.tables.cells import TableCell
from study.report.tables.grids import TableGrid
from study.report.tables.league import UNTUNED, file_word, league_grids, published
from study.report.write import write_tables
from study.results.frames import from_records
from study.results.seed_groups import confirmed as configurations
from study.spec.methods import KD, SDD, Feature, plain
from study.spec.study import Confirm
from tests.study.made import CIFAR, PAIR, confirmed

LS = ("resnet32x4", "resnet8x4")


def made(pair: tuple[str, str] = LS) -> list[TrialRecord]:
    return [
        *confirmed(pair, KD(), (73.0, 73.5, 74.0)),
        *confirmed(pair, SDD(), (75.0, 75.2, 75.4)),
        *confirmed(pair, plain("kd", standardize="region"), (76.0, 76.2, 76.4)),
        *confirmed(pair, SDD(standardize="region"), (76.5, 76.6, 76.7)),
        *confirmed(pair, SDD(standardize="whole"), (76.9, 77.0, 77.1)),
        *confirmed(pair, plain("rld"), (75.5, 75.6, 75.7)),
        *confirmed(pair, plain("dist"), (76.0, 76.3)),
        *confirmed(pair, Feature("sp", plus=KD()), (90.0, 91.0, 92.0)),
    ]


def league(records: list[TrialRecord]) -> TableGrid:
    (grid,) = league_grids(configurations(from_records("one", records, Confirm(seeds=3))), ("last",))
    return grid


def cell(grid: TableGrid, row: str, column: str) -> TableCell:
    rows = {item.label: item for item in grid.rows}
    return rows[row].cells[grid.columns.index(column)]


def test_losses_down_and_forms_across() -> None:
    grid = league(made())
    assert [row.label for row in grid.rows] == ["KD", "RLD", "DIST"]
    assert grid.columns == ("plain", "+LS", "SD-", "SD-, +LS", "SD-, +LSW")
    assert cell(grid, "KD", "plain").ours == "73.50 ± 0.50 (3)"
    assert cell(grid, "DIST", "plain").ours == "76.15 ± 0.21 (2 of 3)"
    assert cell(grid, "RLD", "SD-").ours == "—"
    assert [column for column in grid.columns if cell(grid, "KD", column).best] == ["SD-, +LSW"]


def test_the_legend_says_what_a_leagues_gains_are_over() -> None:
    """Not the base loss: on standardised logits the same loss on standardised logits."""
    grid = league(made())
    for text in (markdown(grid), latex(grid), grid_html(grid)):
        assert "the gain over the base loss" not in text
        assert "over the same loss and logits by itself" in text


def test_the_gain_is_over_the_same_logits_undecoupled() -> None:
    grid = league(made())
    gains = {column: cell(grid, "KD", column).gain for column in grid.columns}
    assert gains["plain"] is gains["+LS"] is None
    points = {column: found.points for column, found in gains.items() if found}
    assert points == pytest.approx({"SD-": 1.7, "SD-, +LS": 0.4, "SD-, +LSW": 0.8})
    found = gains["SD-"]
    assert found is not None
    assert found.low is not None
    assert found.high is not None
    assert found.low < 1.7 < found.high
    shown = f"+1.70 [{found.low:+.2f}, {found.high:+.2f}]"
    for text in (markdown(grid), grid_html(grid), latex(grid)):
        assert shown in text


def test_published_means_stand_beside_with_their_sources() -> None:
    grid = league(made())
    assert cell(grid, "KD", "+LS").paper == 76.62
    assert cell(grid, "DIST", "plain").paper == 76.31
    assert cell(grid, "RLD", "plain").paper is None
    assert "published 76.62, difference -0.42" in markdown(grid)
    assert sum(note.startswith("Published: ") for note in grid.notes) == 2
    assert wide(grid).loc[0, "+LS paper"] == "76.62"
    assert set(tidy(grid)["method"]) == {"KD", "RLD", "DIST"}


def test_numbers_of_another_data_set_do_not_stand_beside() -> None:
    small = dataclasses.replace(CIFAR, classes=20)
    records = [
        *confirmed(LS, KD(), (73.0,), data=small),
        *confirmed(LS, plain("dkd"), (73.0,), data=small),
    ]
    assert cell(league(records), "KD", "plain").paper is None


def test_what_was_tuned_is_shown_before_what_was_not() -> None:
    records = [
        *made(),
        *confirmed(LS, KD(alpha=2.0), (75.0, 75.0, 75.0), role="best"),
    ]
    grid = league(records)
    assert cell(grid, "KD", "plain").ours == "75.00 ± 0.00 (3)"
    assert UNTUNED not in cell(grid, "KD", "plain").marks
    assert UNTUNED in cell(grid, "RLD", "plain").marks
    assert cell(grid, "RLD", "plain").paper is None


def test_one_loss_makes_no_league_and_pairs_have_their_own(tmp_path: Path) -> None:
    alone = [*confirmed(PAIR, KD(), (73.0,)), *confirmed(PAIR, SDD(), (74.0,))]
    found = configurations(from_records("one", alone, Confirm(seeds=3)))
    assert league_grids(found, ("last",)) == []
    runs = from_records("two", [*made(), *made(PAIR)], Confirm(seeds=3))
    names = {grid.name for grid in league_grids(configurations(runs), ("last",))}
    assert names == {"league_resnet32x4-resnet8x4_cifar100_240", "league_wrn_40_2-vgg8_cifar100_240"}
    write_tables(runs, tmp_path)
    for name in names:
        assert "published" in (tmp_path / "tables" / f"{name}.md").read_text() or PAIR[0] in name
        assert name in (tmp_path / "report.html").read_text()


def test_published_numbers_are_those_of_their_tables() -> None:
    table = published()
    assert len(table) == 14 * 4 + 13 * 3
    assert not table.duplicated(["teacher", "student", "method"]).any()
    assert table["top1"].between(60, 80).all()
    value = table.set_index(["teacher", "student", "method"])["top1"]
    assert value["ResNet50", "vgg8", "WTTM"] == 74.82
    assert value["wrn_40_2", "resnet8x4", "KD+LS"] == 77.11


def test_a_files_name_has_no_signs_at_its_ends() -> None:
    assert file_word("packed (20 classes)") == "packed-20-classes"
