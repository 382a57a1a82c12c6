"""Where a study stands in a line."""

from __future__ import annotations

from pathlib import Path

from study.monitoring.short_status import ShortStatus
from study.workspace.folder import StudyFolder
from tests.study.made import failed, search, write_folder

PAIR = ("resnet32x4", "resnet8x4")


def test_a_line_counts_what_there_is(tmp_path: Path) -> None:
    first, *rest = search(PAIR, 9)
    write_folder(tmp_path, "whole", [failed(first), *rest])
    line = ShortStatus.read(StudyFolder(tmp_path, "whole")).line
    assert line.startswith("finished: 7 done, 1 stopped, 1 failed; last heard of 20")


def test_a_study_that_never_began_says_so(tmp_path: Path) -> None:
    assert ShortStatus.read(StudyFolder(tmp_path, "none")).line == "interrupted: no trial yet"


def test_a_damaged_journal_is_a_state(tmp_path: Path) -> None:
    journal = write_folder(tmp_path, "mine", search(PAIR, 2))
    journal.write_text("no JSON\n" + journal.read_text())
    short = ShortStatus.read(StudyFolder(tmp_path, "mine"))
    assert (short.state, short.trials["done"], short.last_activity) == ("damaged", 0, None)
    assert "line 1" in short.line
