"""A client for a server that does not answer, and for a database whose making is cut off."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.errors import TrackingError
from study.tracking.client import connect
from study.workspace.folder import StudyFolder
from tests.object_server import free_port
from tests.study.faults.killing import ROOT


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return StudyFolder(tmp_path, "mine")


def test_a_launch_killed_while_the_database_is_made_leaves_none_that_is_half(
    folder: StudyFolder, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    script = (
        "import sys; from pathlib import Path; from study.workspace.folder import StudyFolder; "
        "from study.tracking.client import connect; connect(StudyFolder(Path(sys.argv[1]), 'mine'))"
    )
    environment = {**os.environ, "TMPDIR": str(scratch), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, "-c", script, str(tmp_path)], env=environment)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 50_000 for path in scratch.glob("*/mlflow.db")):
        assert process.poll() is None, "it was made before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert not (tmp_path / "mlflow.db").exists()
    assert [experiment.name for experiment in connect(folder).search_experiments()] == ["Default"]
    assert [path.name for path in tmp_path.iterdir() if "mlflow.db" in path.name] == ["mlflow.db"]


def test_an_unreachable_server_is_one_line(folder: StudyFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(TrackingError, match=r"does not answer at http://127\.0\.0\.1") as caught:
        connect(StudyFolder(folder.results, folder.name))
    assert "\n" not in str(caught.value)
