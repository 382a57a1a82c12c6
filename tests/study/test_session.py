"""A launch that is refused, or interrupted while its end is under way, leaves things in order."""

from __future__ import annotations

import io
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from rich.console import Console

from study.compute.cluster import Cluster
from study.errors import UserError
from study.journal.journal import Journal
from study.journal.notes import LaunchNote, LeaveNote
from study.journal.recorder import Recorder
from study.loading import load_space
from study.monitoring.launch_log import LaunchLog
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.plan.study_file import StudyFile
from study.search.enqueue import searches
from study.search.ownership import claim
from study.session import Session
from study.workspace.folder import StudyFolder
from tests.study.driving import Driven
from tests.study.faults.killing import ROOT, SPACE


@pytest.fixture
def launched(space: Callable[..., Path], tmp_path: Path) -> tuple[Plan, StudyFolder]:
    """A study that was launched once, with a search of its own in Optuna's database."""
    plan, folder = resolve(load_space(space())), StudyFolder(tmp_path / "results", "small")
    folder.path.mkdir(parents=True)
    driven = Driven(plan, folder.path)
    driven.journal.note(LaunchNote(host="here", pid=7))
    assert driven.ask("0") is not None
    driven.end("0", 40.0, 50.0)
    driven.journal.note(LeaveNote(outcome="interrupted"))
    driven.close()
    claim(driven.storage, map(plan.search_name, plan.search_spaces), folder.journal)
    StudyFile.of(plan.spec, plan.user_code, searches(plan), {}).with_ends({"SDD": "for a reason"}).write(
        folder
    )
    (folder.path / "places.json").write_text('{"store": null, "optuna": null, "more": 1}')
    return plan, folder


@pytest.mark.parametrize("line", [1, 3], ids=["the first line", "another"])
@pytest.mark.parametrize("how", ["spoilt", "taken out"])
def test_a_damaged_journal_is_refused_before_anything_is_written(
    launched: tuple[Plan, StudyFolder], line: int, how: str
) -> None:
    plan, folder = launched
    lines = folder.journal.read_bytes().splitlines(keepends=True)
    lines[line - 1 : line] = [b"no JSON\n"] if how == "spoilt" else []
    folder.journal.write_bytes(b"".join(lines) + b'{"type":"rep')

    def files() -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in folder.path.iterdir() if path.name != ".lock"}

    before = files()
    told = (
        rf"journal\.jsonl, line {line}: damaged" if how == "spoilt" or line > 1 else r"jsonl: its first line"
    )
    console = Console(file=io.StringIO())
    with (
        closing(Cluster("local")) as cluster,
        LaunchLog(console) as log,
        pytest.raises(UserError, match=told),
        Session(plan, folder, cluster, log),
    ):
        pytest.fail("it was opened")
    assert files() == before


@pytest.mark.slow
def test_interrupted_while_mlflows_database_is_made_it_says_nothing_of_a_server(tmp_path: Path) -> None:
    space, results, scratch = tmp_path / "brief.py", tmp_path / "results", tmp_path / "scratch"
    space.write_text(SPACE)
    scratch.mkdir()
    plan = resolve(load_space(space))
    planned = plan.teacher_trial(plan.spec.each_pair[0])
    recorder = Recorder(Journal(results / "brief" / "journal.jsonl"), [])
    recorder.journal.note(LaunchNote(host="elsewhere", pid=1))
    recorder.began(planned)
    recorder.reported(planned, {"epoch": 1, "val/top1": 10.0, "test/top1": 9.0, "train/loss": 1.0, "lr": 0.1})
    recorder.ended(planned, "done")
    recorder.journal.close()

    environment = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    command = [sys.executable, str(ROOT / "study" / "launch.py"), "--space", str(space)]
    launcher = subprocess.Popen(
        [*command, "--stages", "report", "--results", str(results)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**environment, "PYTHONPATH": str(ROOT), "TMPDIR": str(scratch)},
    )
    while not any(path.stat().st_size for path in scratch.glob("sdd-mlflow-*/mlflow.db")):
        assert launcher.poll() is None, launcher.communicate()[0]
        time.sleep(0.05)
    launcher.send_signal(signal.SIGINT)
    printed = launcher.communicate(timeout=600)[0]
    assert launcher.returncode == 130, printed
    assert "away" not in printed
    assert "Traceback" not in printed
    assert "MLflow has not got everything yet" in printed
    assert not (results / "mlflow.db").exists()
    assert list(scratch.glob("sdd-mlflow-*")) == []
