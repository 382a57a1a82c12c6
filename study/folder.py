"""The results folder: where a study's files are, and who may write them.

RESULTS/<study>/   study.json  journal.jsonl  optuna.db  trials.csv  metrics.csv  tables/  figures/
RESULTS/_store/    runs and teachers by key, shared by all studies of the folder
RESULTS/mlflow.db, RESULTS/mlartifacts/    the MLflow default
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from study.errors import StudyBusy
from trainables.store import Store


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """The files of one study under a results folder; making one creates nothing."""

    results: Path
    name: str

    @property
    def path(self) -> Path:
        """The study's own folder."""
        return self.results / self.name

    @property
    def journal(self) -> Path:
        """Reports of all its trials."""
        return self.path / "journal.jsonl"

    @property
    def store(self) -> Store:
        """Runs and teachers, shared with the other studies of the folder."""
        return Store(self.results / "_store")

    @property
    def optuna_url(self) -> str:
        """Optuna's storage, which ``optuna-dashboard`` opens."""
        return f"sqlite:///{self.path / 'optuna.db'}"

    @property
    def mlflow_uri(self) -> str:
        """``MLFLOW_TRACKING_URI``, or a SQLite file in the results folder."""
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.results / 'mlflow.db'}"

    @property
    def mlflow_artifacts(self) -> str | None:
        """Where artifacts go; None leaves it to the tracking server."""
        return None if os.environ.get("MLFLOW_TRACKING_URI") else (self.results / "mlartifacts").as_uri()

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the study; :class:`StudyBusy` while another launcher does. A killed one lets go of it."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StudyBusy(
                    f"study '{self.name}' in {self.results} is being run by another launcher; "
                    "wait for it, stop it, or give this one another --name"
                ) from None
            yield


def open_folders(results: Path) -> list[StudyFolder]:
    """The studies of a results folder."""
    return [StudyFolder(results, path.parent.name) for path in sorted(results.glob("*/study.json"))]
