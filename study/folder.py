"""Where a study's files are, and who may write them.

RESULTS/<study>/   study.json  journal.jsonl  optuna.db  places.json  trials.csv  metrics.csv  tables/ ...
RESULTS/_store/    runs and teachers by key, shared by all studies of the folder
RESULTS/mlflow.db, RESULTS/mlartifacts/    the MLflow default

The store and Optuna's database may lie elsewhere (``--store``, ``--optuna``); see :mod:`study.places`.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from study.errors import UserError
from study.ownership import Launcher, hold, owner_of
from study.places import Places
from trainables.files import read_json
from trainables.store import Store
from trainables.strict import suggestion, to_plain

if TYPE_CHECKING:
    from study.spec import StudySpec

TRIALS = ("pairs", "methods", "search", "budget", "confirm")
"""Fields of a study that decide which trials it has."""


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """The files of one study under a results folder; making one creates nothing.

    Attributes:
        asked: places named on the command line; the others come from the environment, from an earlier launch
            of the study, or are in the results folder.
    """

    results: Path
    name: str
    asked: Places = field(default_factory=Places)

    @property
    def path(self) -> Path:
        """The study's own folder."""
        return self.results / self.name

    @property
    def journal(self) -> Path:
        """Reports of all its trials."""
        return self.path / "journal.jsonl"

    @property
    def places(self) -> Places:
        """Where the store and Optuna's database are; what is None is in the results folder."""
        return self.asked.or_else(Places.from_environment()).or_else(Places.remembered(self.path))

    @property
    def store(self) -> Store:
        """Runs and teachers, shared with other studies."""
        return Store(self.places.store or self.results / "_store")

    @property
    def optuna_url(self) -> str:
        """Optuna's storage, which ``optuna-dashboard`` opens."""
        return self.places.optuna or f"sqlite:///{self.path / 'optuna.db'}"

    @property
    def mlflow_uri(self) -> str:
        """``MLFLOW_TRACKING_URI``, or a SQLite file in the results folder."""
        return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{self.results / 'mlflow.db'}"

    @property
    def mlflow_artifacts(self) -> str | None:
        """Where artifacts go; None leaves it to the tracking server."""
        scheme = self.mlflow_uri.partition(":")[0].partition("+")[0]
        databases = ("sqlite", "postgresql", "mysql", "mssql")
        return (self.results / "mlartifacts").as_uri() if scheme in databases else None

    @property
    def stop_request(self) -> Path:
        """A file that asks the launcher to stop."""
        return self.path / "stop"

    def lock(self) -> AbstractContextManager[None]:
        """Hold the study; :class:`StudyBusy` while another launcher does. A killed one lets go of it."""
        return hold(
            self.path / ".lock",
            f"study '{self.name}' in {self.results}",
            f"wait for it, stop it (sdd-study stop {self.name}), or give this one another --name",
        )

    @property
    def launcher(self) -> Launcher | None:
        """Who runs the study now; None where nobody does."""
        return owner_of(self.path / ".lock")

    def to_be_run(self, spec: StudySpec) -> bool:
        """Whether a launch may expect to run trials: nobody runs the study now, and it did not end well, or
        another one, with fewer trials say, did."""
        if self.launcher is not None:
            return False
        if not self.journal.exists() or b'"outcome":"done"' not in last_line(self.journal):
            return True
        before = read_json(self.path / "study.json") or {}
        return any(before.get(name) != to_plain(getattr(spec, name)) for name in TRIALS)


def last_line(path: Path) -> bytes:
    """The last line of a file, or its last 4 KiB."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return (file.read().splitlines() or [b""])[-1]


def open_folders(results: Path) -> list[StudyFolder]:
    """The studies of a results folder."""
    files = [path for name in ("study.json", "journal.jsonl") for path in results.glob(f"*/{name}")]
    return [StudyFolder(results, name) for name in sorted({path.parent.name for path in files})]


def find_study(results: Path, name: str) -> StudyFolder:
    """The study ``name`` of a results folder.

    Raises:
        UserError: there is none; says which there are.
    """
    known = open_folders(results.absolute())
    for folder in known:
        if folder.name == name:
            return folder
    hint = suggestion(name, [item.name for item in known]) if known else "it holds no study"
    raise UserError(f"no study '{name}' in {results}; {hint}")
