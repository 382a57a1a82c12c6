"""Optuna and MLflow on a real PostgreSQL, which is killed and comes back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from study.errors import StudyBusy
from study.tracking.client import client_at
from study.workspace.lease import database_lock
from study.workspace.locations import check_database
from tests.study.faults.killing import Study, reports, same
from tests.study.postgres import Postgres


@pytest.fixture
def postgres(tmp_path: Path) -> Iterator[Postgres]:
    pytest.importorskip("psycopg", reason="needs psycopg: pip install 'sdd-study[postgres]'")
    server = Postgres(tmp_path)
    server.start()
    yield server
    server.stop()


def test_one_launcher_holds_a_study_in_the_database(postgres: Postgres) -> None:
    url = postgres.url("optuna")
    check_database(url)
    refused = pytest.raises(StudyBusy, match="on the same Optuna database")
    with database_lock(url, "mine"), database_lock(url, "another"), refused, database_lock(url, "mine"):
        pass
    with database_lock(url, "mine"):
        postgres.stop()  # and leaving is no error
    postgres.start()
    with database_lock(url, "mine"):
        pass


@pytest.mark.slow
@pytest.mark.ray
def test_a_study_on_postgres_survives_its_loss(
    postgres: Postgres, undisturbed: Study, tmp_path: Path
) -> None:
    tracking = {"MLFLOW_TRACKING_URI": postgres.url("mlflow")}
    study = Study(tmp_path / "study", ["--optuna", postgres.url("optuna")], tracking)
    launcher = study.start()
    study.wait_for(lambda lines: reports(lines, "search") >= 2, launcher)
    postgres.stop()
    assert study.end(launcher) == 130, study.printed
    assert "stopped: Optuna's database: " in study.printed
    postgres.start()
    assert study.run() == 0, study.printed
    assert same(study, undisturbed)
    client = client_at(postgres.url("mlflow"))
    (experiment,) = client.search_experiments(filter_string="name = 'killed'")
    runs = client.search_runs([experiment.experiment_id], "tags.trial_key != ''")
    told = {run.data.tags["trial_key"]: run.data.tags["epochs"] for run in runs}
    assert len(told) == len(runs)
    assert told == {key: str(len(numbers)) for key, numbers in study.numbers.items()}
