"""The last words of a launch about what it confirmed."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from study.journal.curves import LearningCurves
from study.report.write import Report, report_studies
from study.results.loaded_study import LoadedStudy, all_names
from study.results.rung_ranking import NEAR_CHANCE
from study.stages.report import print_summary
from study.workspace.folder import StudyFolder
from tests.study.results.test_front import GOALS, TRIALS


@pytest.mark.parametrize(
    ("report", "said"),
    [(None, []), (Report(pd.DataFrame(), []), ["no configuration was confirmed"])],
    ids=["report left out", "nothing confirmed"],
)
def test_what_was_not_asked_for_is_not_missed(
    report: Report | None, said: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", logger="study.stages.report")
    console = Console(file=StringIO())
    print_summary(console, StudyFolder(tmp_path, "made"), report)
    assert isinstance(console.file, StringIO)
    assert console.file.getvalue() == ""
    assert caplog.messages == said


def test_a_warning_about_a_rung_is_told_as_one(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="study.stages.report")
    said = ["rung at epoch 1: fine", f"rung at epoch 2: poor; {NEAR_CHANCE}, of those it let through"]
    report = Report(pd.DataFrame(), [], rungs=said)
    print_summary(Console(file=StringIO()), StudyFolder(tmp_path, "made"), report)
    assert [(record.levelname, record.message) for record in caplog.records[:2]] == [
        ("INFO", said[0]),
        ("WARNING", said[1]),
    ]


def test_a_report_by_itself_has_limits_rungs_and_the_growth_of_the_front(tmp_path: Path) -> None:
    names = all_names("val/top1", *GOALS.metrics)
    curves = LearningCurves.from_histories(names, [record.history for record in TRIALS])
    report = report_studies([LoadedStudy.of_curves("made", TRIALS, curves, goals=GOALS)], tmp_path)
    there = {str(path.relative_to(tmp_path)) for path in report.files}
    assert there >= {"tables/limits.csv", "tables/limits.md", "tables/hypervolume.csv"}
    assert "figures/hypervolume.png" in there
    assert (
        "| made | resnet20-resnet8 | val/loss | 1 |  | 3 | 2 |" in (tmp_path / "tables/limits.md").read_text()
    )
    assert "Volume that the trials so far dominate" in (tmp_path / "report.html").read_text()
