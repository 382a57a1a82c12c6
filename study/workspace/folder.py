"""Names where a study's files are, and who may write them.

RESULTS/<study>/   study.json  journal.jsonl  launch.log  optuna.db  places.json  trials.csv  tables/ ...
RESULTS/_store/    runs and teachers by key, shared by all studies of the folder
RESULTS/mlflow.db, RESULTS/mlartifacts/    the MLflow default

The store and Optuna's database may lie elsewhere (``--store``, ``--optuna``); see
:mod:`study.workspace.locations`.
"""

from __future__ import annotations

import os
import shlex
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from study.errors import UserError
from study.workspace.locations import Locations, without_password
from study.workspace.lock import LockOwner, hold, owner_of
from study.workspace.place import check_place
from study.workspace.sqlite import sqlite_url
from trainables.errors import suggestion
from trainables.storage.run_store import RunStore

DEFAULT_RESULTS = Path("results")
"""Where commands look for studies unless they are told, below the working directory."""


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """Names the files of one study under a results folder; making one creates nothing.

    Environment and files are read once, when the folder is opened, so that all parts of a command agree on
    where things are.

    >>> StudyFolder(Path("/data/results"), "quickstart").journal
    PosixPath('/data/results/quickstart/journal.jsonl')

    Attributes:
        asked: locations named on the command line; the others come from the environment, from an earlier
            launch of the study, or are in the results folder.
        locations: where the store and Optuna's database are; what is None is in the results folder.
        store: runs and teachers, shared with other studies.
        optuna_url: Optuna's storage, which ``optuna-dashboard`` opens.
        mlflow_uri: ``MLFLOW_TRACKING_URI``, or a SQLite file in the results folder.
    """

    results: Path
    name: str
    asked: Locations = field(default_factory=Locations)
    locations: Locations = field(init=False)
    store: RunStore = field(init=False, repr=False, compare=False)
    optuna_url: str = field(init=False)
    mlflow_uri: str = field(init=False)

    def __post_init__(self) -> None:
        locations = self.asked.or_else(Locations.from_environment()).or_else(Locations.remembered(self.path))
        found = {
            "locations": locations,
            "store": RunStore(locations.store or self.results / "_store"),
            "optuna_url": locations.optuna or sqlite_url(self.path / "optuna.db"),
            "mlflow_uri": os.environ.get("MLFLOW_TRACKING_URI") or sqlite_url(self.results / "mlflow.db"),
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    @property
    def path(self) -> Path:
        """Folder of the study's own."""
        return self.results / self.name

    @property
    def journal(self) -> Path:
        """File with the reports of all its trials."""
        return self.path / "journal.jsonl"

    @property
    def mlflow_artifacts(self) -> str | None:
        """Folder of MLflow's artifacts, as a URI; None leaves them to the tracking server."""
        scheme = self.mlflow_uri.partition(":")[0].partition("+")[0]
        databases = ("sqlite", "postgresql", "mysql", "mssql")
        return (self.results / "mlartifacts").as_uri() if scheme in databases else None

    @property
    def stop_request(self) -> Path:
        """File that asks the launcher to stop."""
        return self.path / "stop"

    @property
    def ways_in(self) -> list[tuple[str, str]]:
        """List what there is to look at, and where, or the command that shows it, as a shell takes it."""
        return [
            ("in a browser", self._browser_command),
            ("CSVs, tables, figures", str(self.path)),
            ("MLflow", self._mlflow_page),
            ("Optuna", f"optuna-dashboard {shlex.quote(without_password(self.optuna_url))}"),
        ]

    @property
    def _browser_command(self) -> str:
        """Command that shows all of it, for the folder where it was printed."""
        default = self.results.absolute() == DEFAULT_RESULTS.absolute()
        elsewhere = [] if default else ["--results", str(self.results)]
        return shlex.join(["sdd-study", "ui", *elsewhere, self.name])

    @property
    def _mlflow_page(self) -> str:
        uri = without_password(self.mlflow_uri)
        served = uri.startswith(("http://", "https://"))  # and has a page of its own
        return uri if served else f"mlflow ui --backend-store-uri {shlex.quote(uri)}"

    def check(self) -> None:
        """Check that the study's folder is there, or can be made, and written to; nothing is made.

        Raises:
            UserError: says what is in its place.
        """
        check_place(self.path, "choose another folder with --results")

    def lock(self) -> AbstractContextManager[None]:
        """Hold the study; :class:`StudyBusy` while another launcher does. A killed one lets go of it."""
        return hold(
            self.path / ".lock",
            f"study '{self.name}' in {self.results}",
            f"wait for it, stop it (sdd-study stop {self.name}), or give this one another --name",
        )

    def launcher(self) -> LockOwner | None:
        """Read which process runs the study now; None where nobody does."""
        return owner_of(self.path / ".lock")


def last_line(path: Path) -> bytes:
    """Return the last line of a file, or its last 4 KiB."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - 4096))
        return (file.read().splitlines() or [b""])[-1]


def open_folders(results: Path) -> dict[str, StudyFolder | UserError]:
    """Return the studies of a results folder by name, or why one cannot be opened; none without the folder.

    Raises:
        UserError: ``results`` is no folder.
        OSError: it cannot be read, which does not mean that it holds nothing.
    """
    found: dict[str, StudyFolder | UserError] = {}
    for name in study_names(results):
        try:
            found[name] = StudyFolder(results, name)
        except UserError as error:  # the others are to be seen
            found[name] = error
    return found


def study_names(results: Path) -> list[str]:
    """Return the names of the studies of a results folder, sorted; raises as :func:`open_folders` does."""
    try:
        names = sorted(os.listdir(results))
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        raise UserError(f"--results: {results} is no folder; name the results folder") from None
    marks = ("study.json", "journal.jsonl")
    return [name for name in names if any((results / name / mark).exists() for mark in marks)]


def find_study(results: Path, name: str) -> StudyFolder:
    """Return the study ``name`` of a results folder.

    Raises:
        UserError: there is none, and says which there are; or it cannot be opened.
    """
    if not results.is_dir():
        what = "is no folder" if results.exists() else "is not there"
        raise UserError(f"no study '{name}': {results} {what}; name the results folder with --results")
    known = study_names(results.absolute())
    if name in known:
        return StudyFolder(results.absolute(), name)
    hint = suggestion(name, known) if known else "it holds no study"
    raise UserError(f"no study '{name}' in {results}; {hint}")
