"""The last words of a launch about what it confirmed."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from rich.console import Console

from study.report.write import Report
from study.stages.report import print_summary
from study.workspace.folder import StudyFolder


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
