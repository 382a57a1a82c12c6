"""Tells what MLflow refuses for good from what may come back, and says the remedy of the former.

A server that does not answer is away: what it misses is sent when it is back. One that answers "no" answers
so again, and a user has to do something first.
"""

from __future__ import annotations

import re
import shlex
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from study.errors import TrackingError, one_line
from study.workspace.locations import without_password

REFUSED = {
    "ALREADY_EXISTS",
    "BAD_REQUEST",
    "CUSTOMER_UNAUTHORIZED",
    "ENDPOINT_NOT_FOUND",
    "INVALID_PARAMETER_VALUE",
    "INVALID_STATE",
    "NOT_FOUND",
    "NOT_IMPLEMENTED",
    "PERMISSION_DENIED",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
    "UNAUTHENTICATED",
}
"""MLflow's codes of errors that the same request meets again; its others may pass."""

LOCAL = (PermissionError, FileExistsError, NotADirectoryError, IsADirectoryError)
"""Errors of a folder that is not what it should be."""

WHOLE = 1000
"""Most characters of a reason whose end tells what to do."""

SCHEMA = re.compile(r"out-of-date database schema \(found version (\w+)")


def refusal(error: Exception, uri: str) -> str | None:
    """Say why MLflow refuses for good, with the remedy; None where it may only be away.

    >>> refusal(ConnectionError("connection refused"), "http://host:5000") is None
    True
    """
    if isinstance(error, TrackingRefused):
        return str(error)
    if found := SCHEMA.search(str(error)):
        return schema_fault(found[1], uri)
    if "MLFLOW_ALLOW_FILE_STORE" in str(error):
        return (
            f"MLflow {version('mlflow')} keeps no runs in plain folders ({uri}): name a database "
            "(MLFLOW_TRACKING_URI=sqlite:////folder/mlflow.db; mlflow migrate-filestore takes runs over), "
            "or set MLFLOW_ALLOW_FILE_STORE=true"
        )
    if "unsupported URI" in str(error):
        return (
            f"MLflow {version('mlflow')} serves no {without_password(uri)}; name a server, such as "
            "http://host:5000, or a database, such as sqlite:////folder/mlflow.db (MLFLOW_TRACKING_URI)"
        )
    if isinstance(error, LOCAL):
        return f"MLflow's artifacts: cannot write {error.filename}: {error.strerror}; mend that place"
    if isinstance(error, ImportError):
        return f"{without_password(uri)}: {one_line(error)}; install what reads this kind of database"
    if getattr(error, "error_code", None) not in REFUSED or _of_database(error):
        return None
    return f"MLflow at {without_password(uri)} refuses it: {one_line(error, most=WHOLE)}"


class TrackingRefused(TrackingError):
    """Says what MLflow refuses for good, and the remedy."""


def _of_database(error: BaseException) -> bool:
    """Tell whether a database is behind an error: MLflow calls a lost connection a bad request."""
    return any(kind.__module__.startswith("sqlalchemy") for kind in type(error.__cause__).__mro__)


def schema_fault(found: str | None, uri: str) -> str | None:
    """Say what to do with an MLflow database whose schema has the revision ``found``; None for today's."""
    known, head = schema_revisions()
    if found == head:
        return None
    where = f"MLflow's database {without_password(uri)}"
    if found in known or found in (None, "None"):
        return (
            f"{where} was made by an older MLflow (schema {found}, {version('mlflow')} has {head}): back it "
            f"up, then: mlflow db upgrade {shlex.quote(without_password(uri))}"
        )
    return (
        f"{where} was made by a newer MLflow ({version('mlflow')} does not know its schema {found}): install "
        "that one here (pip install --upgrade mlflow), or name another database (MLFLOW_TRACKING_URI)"
    )


@cache
def schema_revisions() -> tuple[frozenset[str], str]:
    """Return the schema revisions that the installed MLflow knows, and its own; MLflow is not imported."""
    spec = find_spec("mlflow")
    assert spec is not None
    assert spec.submodule_search_locations
    folder = Path(spec.submodule_search_locations[0], "store", "db_migrations", "versions")
    texts = [file.read_text(encoding="utf-8") for file in folder.glob("*.py")]
    pattern = r'^{}\s*=\s*"(\w+)"'
    known = {name for text in texts for name in re.findall(pattern.format("revision"), text, re.M)}
    older = {name for text in texts for name in re.findall(pattern.format("down_revision"), text, re.M)}
    (head,) = known - older
    return frozenset(known), head


def usable(experiment: Any, uri: str) -> Any:
    """Return ``experiment``, or None where it is None.

    Raises:
        TrackingRefused: it was deleted; MLflow keeps its name, and takes no run into it.
    """
    if experiment is not None and experiment.lifecycle_stage == "deleted":
        raise TrackingRefused(deleted(experiment.name, experiment.experiment_id, uri))
    return experiment


def deleted(name: str, number: object, uri: str) -> str:
    """Say that an experiment was deleted, and what to do."""
    restore = f"mlflow experiments restore --experiment-id {number}"
    return (
        f"MLflow's experiment '{name}' was deleted, and takes no runs: give this study another --name, or "
        f"bring it back: MLFLOW_TRACKING_URI={shlex.quote(without_password(uri))} {restore}"
    )
