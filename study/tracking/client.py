"""Connects to the MLflow that a study's runs go to, and makes its database where that is a file of ours."""

from __future__ import annotations

import logging
import os
import tempfile
from pathlib import Path
from typing import Any

from study.errors import TrackingError
from study.workspace.folder import StudyFolder
from trainables.errors import one_line
from trainables.storage.files import write_new


def connect(folder: StudyFolder) -> Any:
    """Return an MLflow client for the study's tracking URI; raises :class:`TrackingError` if it does not
    answer.
    """
    scheme, _, path = folder.mlflow_uri.partition(":///")
    if scheme == "sqlite":
        make_database(Path(path))
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
        client_at(f"sqlite:///{made}")
        write_new(file, made.read_bytes())


def client_at(uri: str) -> Any:
    """Return an MLflow client for ``uri``; raises :class:`TrackingError` if it does not answer."""
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
        raise TrackingError(
            f"MLflow does not answer at {uri}: {one_line(error)}; start the server, or name another one "
            "(MLFLOW_TRACKING_URI, --tracking-uri)"
        ) from None
    return client
