"""Databases and servers as people have them: what a launch makes of each before anything trains."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from study.search.optuna_storage import open_optuna_storage
from study.tracking.client import check_tracking
from study.tracking.refusals import schema_revisions
from study.workspace.folder import StudyFolder
from study.workspace.sqlite import sqlite_url
from tests.inputs.case import Case, Read, Refused, hold, table
from tests.object_server import free_port

KNOWN, HEAD = schema_revisions()
OLDER = min(KNOWN - {HEAD})


def changed(*statements: str, at: str = "mlflow.db") -> Callable[[Path], str]:
    """The default database, after these statements."""

    def make(place: Path) -> str:
        with sqlite3.connect(place / at) as connection:
            for statement in statements:
                connection.execute(statement)
        connection.close()
        return ""

    return make


def experiment(stage: str, place: str = "file:///gone/mlartifacts") -> str:
    columns = "(experiment_id, name, artifact_location, lifecycle_stage, workspace)"
    return f"INSERT INTO experiments {columns} VALUES (7, 'mine', '{place}', '{stage}', 'default')"


def damaged(place: Path) -> str:
    (place / "mlflow.db").write_bytes(b"no database" * 1000)
    return ""


def nobody(place: Path) -> str:
    return f"http://127.0.0.1:{free_port()}"


MLFLOW = (
    Case("a database of this MLflow", changed(), Read()),
    Case("one of an older MLflow", changed(f"UPDATE alembic_version SET version_num = '{OLDER}'"), Refused("older MLflow .* mlflow db upgrade sqlite:///")),
    Case("one of a newer MLflow", changed("UPDATE alembic_version SET version_num = 'f00d'"), Refused("newer MLflow .*pip install --upgrade mlflow")),
    Case("another program's", changed("DROP TABLE experiments"), Refused("is another program's database")),
    Case("a damaged one", damaged, Refused("not a database; move it away")),
    Case("one of a folder that lay elsewhere", changed(experiment("active")), Read("the results were in /gone before")),
    Case("a study that was deleted", changed(experiment("deleted")), Refused("'mine' was deleted.* restore --experiment-id 7")),
    Case("a server that does not answer", nobody, Refused("does not answer at http://127.*start the server")),
    Case("a kind of server there is not", lambda p: "ftp://host/x", Refused("serves no ftp://host/x; name a server, such as http")),
    Case("a folder of files", lambda p: f"file://{p}/mlruns", Refused("keeps no runs in plain folders .* name a database")),
    Case("a driver that is not installed", lambda p: "mysql+nosuch://me:pw@host/x", Refused(r"mysql\+nosuch://me:\*\*\*@host/x")),
)  # fmt: skip

OPTUNA = (
    Case("a database of this Optuna", changed(at="optuna.db"), Read()),
    Case("one of an older Optuna", changed("UPDATE alembic_version SET version_num = 'v2.6.0.a'", at="optuna.db"), Refused("by Optuna .* optuna storage upgrade --storage sqlite:///")),
    Case("one of a newer Optuna", changed("UPDATE alembic_version SET version_num = 'v77'", at="optuna.db"), Refused("by Optuna .*pip install --upgrade optuna")),
    Case("another program's", changed("DROP TABLE version_info", at="optuna.db"), Refused("is another program's, such as MLflow's; .*--optuna")),
    Case("a damaged one", lambda p: (p / "optuna.db").write_bytes(b"no database" * 1000), Read("is damaged .* made anew from the journal")),
)  # fmt: skip


@table(*MLFLOW)
def test_mlflow(case: Case, mlflow_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(mlflow_database, tmp_path)

    def take(uri: str) -> tuple[str, ...]:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
        said: list[str] = []
        check_tracking(StudyFolder(tmp_path, "mine"), said.append)
        return tuple(said)

    hold(case, tmp_path, take)


@table(*OPTUNA)
def test_optuna(case: Case, tmp_path: Path) -> None:
    url = sqlite_url(tmp_path / "optuna.db")
    open_optuna_storage(url, pytest.fail)

    def take(made: object) -> tuple[str, ...]:
        said: list[str] = []
        open_optuna_storage(url, said.append)
        return tuple(said)

    hold(case, tmp_path, take)
