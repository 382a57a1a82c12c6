"""A launch that is interrupted while its end is under way leaves things in order."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.journal.journal import Journal
from study.journal.notes import LaunchNote
from study.journal.recorder import Recorder
from study.loading import load_space
from study.plan.resolve import resolve
from tests.study.faults.killing import ROOT, SPACE


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
