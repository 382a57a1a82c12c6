"""Connects to the MLflow that a study's runs go to, and makes its database where that is a file."""

from __future__ import annotations

import logging
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from study.errors import TrackingError
from study.tracking.database import check_database
from study.tracking.refusals import TrackingRefused, refusal, usable
from study.workspace.folder import StudyFolder
from study.workspace.locations import without_password
from study.workspace.sqlite import sqlite_file, sqlite_url
from trainables.errors import one_line
from trainables.storage.files import write_new


def check_tracking(folder: StudyFolder, say: Callable[[str], None]) -> None:
    """Check that MLflow takes the study's runs, before anything trains.

    A database that is a file is looked into without MLflow, which is imported while the first trial runs.

    Args:
        say: takes a line where something was mended.

    Raises:
        TrackingError: it does not answer, or refuses them, with the remedy.
    """
    if folder.mlflow_artifacts is not None:
        check_database(folder, say)
    if sqlite_file(folder.mlflow_uri) is None:
        usable(connect(folder).get_experiment_by_name(folder.name), folder.mlflow_uri)


def connect(folder: StudyFolder) -> Any:
    """Return an MLflow client for the study's tracking URI.

    Raises:
        TrackingError: it does not answer; a :class:`TrackingRefused` where it never will.
    """
    if (file := sqlite_file(folder.mlflow_uri)) is not None:
        make_database(file)
    return client_at(folder.mlflow_uri)


def make_database(file: Path) -> None:
    """Make the SQLite database ``file`` whole, unless it is there.

    MLflow makes one by migrations in place, seconds in which the process may end; it can do nothing with a
    database that has only some of them.
    """
    if file.exists():
        return
    with tempfile.TemporaryDirectory(prefix="sdd-mlflow-") as scratch:
        made = Path(scratch) / file.name
        client_at(sqlite_url(made))
        write_new(file, made.read_bytes())


def client_at(uri: str) -> Any:
    """Return an MLflow client for ``uri``.

    MLflow's own telemetry is off unless somebody has set it: its threads would use the network while the
    process ends.

    Raises:
        TrackingError: it does not answer; a :class:`TrackingRefused` where it never will.
    """
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    if uri.startswith("http"):
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    from mlflow.tracking import MlflowClient  # sets its loggers up as it is imported

    logging.getLogger("alembic").setLevel(logging.ERROR)
    logging.getLogger("mlflow").setLevel(logging.CRITICAL)  # what it raises is told in one line
    try:
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    except Exception as error:
        if (reason := refusal(error, uri)) is not None:
            raise TrackingRefused(reason) from None
        raise TrackingError(
            f"MLflow does not answer at {without_password(uri)}: {one_line(error)}; start the server, or "
            "name another one (MLFLOW_TRACKING_URI, --tracking-uri)"
        ) from None
    return client
