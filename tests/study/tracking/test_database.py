"""MLflow databases that cannot take a study's runs are told before anything trains; moved ones are mended."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from study.errors import TrackingError
from study.tracking.client import check_tracking, connect
from study.tracking.database import local_path
from study.tracking.refusals import schema_revisions
from study.tracking.run_writer import RunWriter
from study.workspace.folder import StudyFolder
from study.workspace.sqlite import sqlite_file, sqlite_url
from tests.study.tracking.test_uploader import record

SPEC = {"name": "mine", "search": {"maximize": "val/top1"}, "budget": {"trials": 4}}

ODD = "50 % of $HOME?#{x}'s"
"""A folder's name with what means something in a URL, a shell or a template."""


@pytest.fixture
def folder(mlflow_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StudyFolder:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    results = tmp_path / ODD
    results.mkdir()
    shutil.copy(mlflow_database, results / "mlflow.db")
    return StudyFolder(results, "mine")


def execute(folder: StudyFolder, *statements: str) -> None:
    with sqlite3.connect(folder.results / "mlflow.db") as connection:
        for statement in statements:
            connection.execute(statement)
    connection.close()


def refused(folder: StudyFolder) -> str:
    with pytest.raises(TrackingError) as caught:
        check_tracking(folder, pytest.fail)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_revisions_are_those_that_mlflow_itself_reads() -> None:
    from mlflow.store.db.utils import _get_latest_schema_revision

    known, head = schema_revisions()
    assert head == _get_latest_schema_revision()
    assert len(known) > 60


def test_a_database_of_today_is_taken_wherever_it_lies(folder: StudyFolder) -> None:
    check_tracking(folder, pytest.fail)
    assert sqlite_file(folder.mlflow_uri) == folder.results / "mlflow.db"
    assert connect(folder).get_experiment_by_name("Default") is not None
    assert [path.name for path in folder.results.iterdir()] == ["mlflow.db"], "none was made elsewhere"
    assert list(folder.results.parent.iterdir()) == [folder.results]


def test_a_database_of_an_older_mlflow_is_told_with_the_command_that_upgrades_it(folder: StudyFolder) -> None:
    older = min(schema_revisions()[0] - {schema_revisions()[1]})
    execute(folder, f"UPDATE alembic_version SET version_num = '{older}'")
    told = refused(folder)
    assert f"older MLflow (schema {older}" in told
    assert "mlflow db upgrade 'sqlite+pysqlite:///" in told
    with pytest.raises(TrackingError, match="mlflow db upgrade"):
        connect(folder)  # by what MLflow itself says of it


def test_a_database_of_a_newer_mlflow_is_told(folder: StudyFolder) -> None:
    execute(folder, "UPDATE alembic_version SET version_num = 'ffffffffffff'")
    assert "newer MLflow" in refused(folder)


def test_another_programs_database_and_a_damaged_one_are_told(folder: StudyFolder) -> None:
    file = folder.results / "mlflow.db"
    file.unlink()
    execute(folder, "CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES ('v3')")
    assert "another program's database" in refused(folder)
    file.write_bytes(b"no database at all, and long enough to be read as one" * 100)
    assert "not a database; move it away" in refused(folder)


def test_a_deleted_experiment_is_told_with_what_brings_it_back(folder: StudyFolder) -> None:
    client = connect(folder)
    number = client.create_experiment("mine")
    check_tracking(folder, pytest.fail)
    client.delete_experiment(number)
    assert f"mlflow experiments restore --experiment-id {number}" in refused(folder)
    with pytest.raises(TrackingError, match="was deleted"):
        RunWriter(client, folder, SPEC)


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("ftp://host/mlruns", "serves no ftp://host/mlruns; name a server"),
        ("/data/mlruns", r"keeps no runs in plain folders \(/data/mlruns\): name a database"),
        ("postgresql+nothing://me:secret@host/mlflow", r"postgresql\+nothing://me:\*\*\*@host/mlflow"),
    ],
)
def test_what_mlflow_does_not_serve_is_told(
    uri: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    with pytest.raises(TrackingError, match=said) as caught:
        check_tracking(StudyFolder(tmp_path, "mine"), pytest.fail)
    assert "does not answer" not in str(caught.value)
    assert "secret" not in str(caught.value)


def artifacts(folder: StudyFolder) -> list[list[str]]:
    """Names of the files of each run that MLflow can open."""
    client = connect(folder)
    experiment = client.get_experiment_by_name(folder.name)
    runs: list[Any] = client.search_runs([experiment.experiment_id])
    return [sorted(item.path for item in client.list_artifacts(run.info.run_id)) for run in runs]


def test_a_results_folder_that_was_moved_takes_its_artifacts_along(
    folder: StudyFolder, tmp_path: Path
) -> None:
    writer = RunWriter(connect(folder), folder, SPEC)
    writer.send(record(0, 1, "done"))
    other = connect(folder).create_experiment("other", artifact_location=folder.mlflow_artifacts)
    elsewhere = connect(folder).create_experiment("elsewhere", artifact_location="s3://bucket/mlartifacts")
    before = artifacts(folder)
    assert ["config.json", "curves.png"] in before

    moved = StudyFolder(tmp_path / "moved here", "mine")
    folder.results.rename(moved.results)
    said: list[str] = []
    check_tracking(moved, said.append)
    assert said == [f"the results were in {folder.results} before; MLflow's database has been told"]
    assert artifacts(moved) == before
    writer = RunWriter(connect(moved), moved, SPEC)
    writer.send(record(1, 1, "done"))
    assert not folder.results.exists()
    assert len(artifacts(moved)) == len(before) + 1
    client = connect(moved)
    assert local_path(client.get_experiment(other).artifact_location) == moved.results / "mlartifacts"
    assert client.get_experiment(elsewhere).artifact_location == "s3://bucket/mlartifacts"
    check_tracking(moved, pytest.fail)


def test_a_copy_writes_into_itself(folder: StudyFolder, tmp_path: Path) -> None:
    RunWriter(connect(folder), folder, SPEC)
    copy = StudyFolder(tmp_path / "copy", "mine")
    shutil.copytree(folder.results, copy.results)
    said: list[str] = []
    check_tracking(copy, said.append)
    assert len(said) == 1
    check_tracking(folder, pytest.fail)
    location = connect(copy).get_experiment_by_name("mine").artifact_location
    assert local_path(location) == copy.results / "mlartifacts"


def test_a_folder_that_shares_anothers_database_keeps_its_own_artifacts(
    folder: StudyFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", sqlite_url(folder.results / "mlflow.db"))
    guest = StudyFolder(tmp_path / "guest", "theirs")
    RunWriter(connect(guest), guest, SPEC).send(record(0, 1, "done"))
    monkeypatch.delenv("MLFLOW_TRACKING_URI")
    check_tracking(folder, pytest.fail)
