"""A study's folder says, cheaply, whether a launch of it may expect to run trials."""

from __future__ import annotations

from pathlib import Path

from study.folder import StudyFolder
from study.journal import Journal


def test_a_new_or_interrupted_study_is_to_be_run_a_finished_or_running_one_is_not(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path, "mine")
    assert folder.to_be_run
    assert not folder.path.exists(), "asking creates nothing"
    folder.path.mkdir()
    for outcome, expected in (("interrupted", True), ("trials failed", True), ("done", False)):
        journal = Journal(folder.journal)
        journal.note("leave", outcome=outcome)
        journal.close()
        assert folder.to_be_run is expected
    journal = Journal(folder.journal)
    journal.note("launch", host="here", pid=1)
    journal.close()
    assert folder.to_be_run
    with folder.lock():
        assert not folder.to_be_run
