"""Makes a study's MLflow database, and looks into one before MLflow does.

What MLflow would refuse is told before anything trains; where the results folder lies elsewhere than before,
the database learns where its artifacts are. Nothing here imports MLflow, which takes more than a second.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from study.errors import TrackingError, one_line
from study.tracking.refusals import TrackingRefused, deleted, schema_fault
from study.workspace.folder import StudyFolder
from study.workspace.locations import without_password
from study.workspace.sqlite import sqlite_file, sqlite_url

PATIENCE_S = 30.0
"""Seconds for another launch to let go of an SQLite file that it writes to."""

PLACES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)
"""Columns of MLflow's tables that say where artifacts are."""


def check_database(folder: StudyFolder, say: Callable[[str], None]) -> None:
    """Check the MLflow database of ``folder``, unless it has yet to be made, and correct where artifacts are.

    Args:
        say: takes a line where the results folder was moved.

    Raises:
        TrackingError: MLflow cannot use it, or it does not answer.
    """
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    uri = folder.mlflow_uri
    file = sqlite_file(uri)
    if file is not None and not file.exists():
        return
    try:
        engine = create_engine(uri, connect_args={} if file is None else {"timeout": PATIENCE_S})
        try:
            with engine.begin() as connection:
                _check(connection, folder)
                _bring_up_to_date(connection, folder, say)
        finally:
            engine.dispose()
    except (ArgumentError, ImportError) as error:
        raise TrackingRefused(f"MLflow's database {without_password(uri)}: {one_line(error)}") from None
    except SQLAlchemyError as error:
        reason = one_line(error, part="first")
        remedy = "start it, or name another one (MLFLOW_TRACKING_URI)"
        if "database is locked" in reason:
            remedy = "another program holds it; end that, or try again"
        elif file is not None:
            remedy = "move it away: the next launch of each study makes it anew from its journal"
        raise TrackingError(f"MLflow's database {without_password(uri)}: {reason}; {remedy}") from None


def _check(connection: Any, folder: StudyFolder) -> None:
    """Raise :class:`TrackingRefused` where the schema or the study's experiment is none that takes runs."""
    from sqlalchemy import column, inspect, select, table

    tables = inspect(connection).get_table_names()
    revisions: Any = select(column("version_num")).select_from(table("alembic_version"))
    found = connection.execute(revisions).scalar() if "alembic_version" in tables else None
    if "experiments" not in tables:
        if found is not None:
            where = without_password(folder.mlflow_uri)
            raise TrackingRefused(f"{where} is another program's database; MLflow needs one of its own")
        return  # MLflow makes its tables
    if (fault := schema_fault(found, folder.mlflow_uri)) is not None:
        raise TrackingRefused(fault)
    columns: list[Any] = [column(name) for name in ("name", "experiment_id", "lifecycle_stage")]
    query = select(*columns).select_from(table("experiments")).where(columns[0] == folder.name)
    for name, number, stage in connection.execute(query):
        if stage == "deleted":
            raise TrackingRefused(deleted(name, number, folder.mlflow_uri))


def _bring_up_to_date(connection: Any, folder: StudyFolder, say: Callable[[str], None]) -> None:
    """Correct where artifacts are, for all that lay in a results folder that is here now."""
    from sqlalchemy import inspect

    now = folder.mlflow_artifacts
    tables = set(inspect(connection).get_table_names())
    if now is None or "experiments" not in tables:
        return
    for old in list(_moved(connection, folder, now)):
        for name, place in PLACES:
            if name in tables:
                _replace(connection, name, place, old, now)
        say(f"the results were in {local_path(old).parent} before; MLflow's database has been told")


def _moved(connection: Any, folder: StudyFolder, now: str) -> Iterator[str]:
    """Yield where artifacts lay that are in ``now``: the study's, and others' of a folder that is gone."""
    from sqlalchemy import column, select, table

    last = "/" + now.rpartition("/")[2]
    own = folder.mlflow_uri == sqlite_url(folder.results / "mlflow.db")
    query: Any = select(column("name"), column("artifact_location")).select_from(table("experiments"))
    places: dict[str, bool] = {}
    for name, place in connection.execute(query):
        if place and place != now and place.endswith(last) and urlsplit(place).scheme in ("", "file"):
            places[place] = places.get(place, False) or name == folder.name
    for place, ours in places.items():
        if ours or (own and not local_path(place).exists()):
            yield place


def _replace(connection: Any, name: str, place: str, old: str, now: str) -> None:
    """Write ``now`` for ``old`` at the beginning of a column's values."""
    from sqlalchemy import String, column, func, table, type_coerce, update

    where: Any = column(place, String)
    rows = update(table(name, where))
    rest = func.substr(where, len(old) + 1)
    connection.execute(
        rows.where((where == old) | where.startswith(old + "/", autoescape=True)).values(
            {place: type_coerce(now, String) + rest}
        )
    )


def local_path(uri: str) -> Path:
    """Return the path of a file's URI; MLflow also writes a path as it is.

    >>> local_path("file:///data/my%20results/mlartifacts")
    PosixPath('/data/my results/mlartifacts')
    """
    parts = urlsplit(uri)
    return Path(unquote(parts.path) if parts.scheme else uri)
