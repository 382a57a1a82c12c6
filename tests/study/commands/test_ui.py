"""``sdd-study ui``: MLflow, Optuna and the report behind one page, and nothing left when it ends."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import pytest

from study.workspace.folder import StudyFolder
from tests.study.commands.conftest import Command
from tests.study.made import records, write_folder


def group_is_gone(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


def children(process: int) -> list[int]:
    """Processes that ``process`` started."""
    listed = Path(f"/proc/{process}/task/{process}/children").read_text()
    return [int(number) for number in listed.split()]


def test_an_unknown_study_is_one_line(command: Command, tmp_path: Path) -> None:
    code, _, complaint = command("ui", "none", "--results", tmp_path)
    assert (code, complaint.count("\n")) == (2, 1)
    code, _, complaint = command("ui", "--results", tmp_path)
    assert (code, complaint) == (2, f"error: --results: no study in {tmp_path}\n")


@pytest.mark.slow
def test_everything_is_served_until_ctrl_c_and_then_no_process_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    from study.tracking.client import connect

    results = tmp_path / "a folder with spaces"
    write_folder(results, "made", records())
    experiment = connect(StudyFolder(results, "made")).create_experiment("made")
    command = [sys.executable, "-m", "study.cli", "ui", "made", "--results", str(results), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        found = re.search(r"http://\S+", line)
        assert found, line
        (group,) = children(process.pid)
        end = time.monotonic() + 120
        while "MLflow is starting" in urlopen(found[0]).read().decode():
            assert time.monotonic() < end
            time.sleep(0.5)
        with urlopen(f"{found[0]}/made/mlflow") as answer:
            assert answer.url.endswith(f"#/experiments/{experiment}/runs?workflowType=machine_learning")
            assert "MLflow" in answer.read().decode()
        assert "Report on made" in urlopen(f"{found[0]}/made/report.html").read().decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
    assert group_is_gone(group)
