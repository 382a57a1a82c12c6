"""What MLflow refuses is told once, with its remedy, and not waited for; its thread ends with the launch."""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest

from study.tracking.client import connect
from study.tracking.refusals import deleted, refusal, schema_fault, schema_revisions
from study.tracking.study_run import StudyOutcome
from study.tracking.uploader import MlflowUploader
from study.workspace.folder import StudyFolder
from tests.study.tracking.test_uploader import record


@pytest.fixture
def folder(mlflow_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    shutil.copy(mlflow_database, tmp_path)
    return StudyFolder(tmp_path, "mine")


def test_an_experiment_that_is_deleted_meanwhile_is_told_at_once(folder: StudyFolder) -> None:
    said: list[str] = []
    uploader = MlflowUploader(folder, {"name": "mine"}, said.append)
    uploader.ended(record(0, 1, "done"))
    assert uploader.close(60, StudyOutcome([]))
    client = connect(folder)
    client.delete_experiment(client.get_experiment_by_name("mine").experiment_id)
    again = MlflowUploader(folder, {"name": "mine"}, said.append)
    for seed in (1, 2):
        again.ended(record(seed, 1, "done"))
    assert not again.close(600, StudyOutcome([]))
    (line,) = said
    assert "mlflow experiments restore --experiment-id" in line
    assert line.endswith("once that is mended, the same command sends the rest)")
    client.restore_experiment(client.get_experiment_by_name("mine").experiment_id)
    last = MlflowUploader(folder, {"name": "mine"}, said.append)
    last.replay({str(seed): record(seed, 1, "done") for seed in (0, 1, 2)})
    assert last.close(60, StudyOutcome([]))
    assert len(said) == 1


def test_artifacts_that_have_no_place_are_refused_and_the_rest_arrives(
    folder: StudyFolder,
) -> None:
    (folder.results / "mlartifacts").write_text("not a folder")
    said: list[str] = []
    uploader = MlflowUploader(folder, {"name": "mine"}, said.append)
    uploader.reported(record(0, 1), 1)
    assert not uploader.close(60, StudyOutcome([]))
    assert len(said) == 1
    assert "MLflow's artifacts: cannot write" in said[0]


def test_a_launch_that_ends_while_the_database_is_made_leaves_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    (tmp_path / "scratch").mkdir()
    said: list[str] = []
    folder = StudyFolder(tmp_path / "results", "mine")
    uploader = MlflowUploader(folder, {"name": "mine"}, said.append)
    uploader.reported(record(0, 1), 1)
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size > 50_000 for path in (tmp_path / "scratch").glob("*/mlflow.db")):
        assert time.monotonic() < deadline
        time.sleep(0.005)
    assert not uploader.close(3)
    assert [thread for thread in threading.enumerate() if thread.name == "tracking"] == []
    assert said == []
    assert not (folder.results / "mlflow.db").exists()
    assert list((tmp_path / "scratch").glob("sdd-mlflow-*")) == []


def test_a_launch_that_ends_before_mlflow_is_opened_does_not_open_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = StudyFolder(tmp_path, "mine")
    uploader = MlflowUploader(folder, {"name": "mine"}, pytest.fail)
    uploader.began(record(0, 0))
    assert not uploader.close(3)
    assert list(tmp_path.iterdir()) == []


def test_what_may_come_back_is_no_refusal() -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.protos.databricks_pb2 import BAD_REQUEST, PERMISSION_DENIED, TEMPORARILY_UNAVAILABLE
    from sqlalchemy.exc import InterfaceError

    lost = MlflowException("connection already closed", error_code=BAD_REQUEST)
    lost.__cause__ = InterfaceError("SELECT 1", {}, Exception("connection already closed"))
    for error in (lost, MlflowException("busy", error_code=TEMPORARILY_UNAVAILABLE), OSError("no route")):
        assert refusal(error, "http://host:5000") is None
    denied = MlflowException("you may not " + "x" * 300 + " ask Ann", error_code=PERMISSION_DENIED)
    told = refusal(denied, "http://me:secret@host:5000")
    assert told is not None
    assert told.endswith("ask Ann")
    older = schema_fault(min(schema_revisions()[0]), "postgresql://me:secret@host/mlflow")
    assert older is not None
    assert "mlflow db upgrade 'postgresql://me:***@host/mlflow'" in older
    for text in (told, deleted("mine", 7, "http://me:secret@host:5000")):
        assert "secret" not in text
