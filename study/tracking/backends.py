"""Reads runs where MLflow keeps them: a database, by one query a table, or a server, page by page."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np

from study.errors import TrackingError
from study.journal.curves import Floats
from study.workspace.sqlite import sqlite_file
from trainables.errors import one_line

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
HISTORIES_AT_ONCE = 8
PAGE = 1000
ROWS_AT_ONCE = 20_000
NO_RUN = -1


@dataclass(slots=True)
class MlflowRun:
    """Holds one run, whichever way it was read.

    Attributes:
        started, ended: milliseconds since 1970.
        latest: last value of each metric; empty where it was not asked for.
    """

    run_id: str
    status: str
    started: int | None
    ended: int | None
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    latest: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MetricPoints:
    """Collects values of one metric: the run's position, the epoch from 1, the value.

    >>> points = MetricPoints()
    >>> points.add(runs=[0, 0], epochs=[1, 2], values=[61.0, 64.0])
    >>> list(points.values)
    [61.0, 64.0]
    """

    runs: array[int] = field(default_factory=lambda: array("q"))
    epochs: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def add(self, runs: Iterable[int], epochs: Iterable[int], values: Iterable[float]) -> None:
        """Add the values of a metric, with the positions and epochs of their runs."""
        self.runs.extend(runs)
        self.epochs.extend(epochs)
        self.values.extend(values)


def open_store(uri: str) -> Store:
    """Return the store behind a tracking URI; raises :class:`TrackingError` if nothing answers there."""
    kind = uri.split(":", 1)[0].split("+", 1)[0]
    if kind not in DATABASES:
        return ServerBackend(uri)
    if (file := sqlite_file(uri)) is not None and not file.is_file():
        raise TrackingError(f"no MLflow database at {uri}")
    return DatabaseBackend(uri)


class DatabaseBackend:
    """Reads an MLflow database directly: the client would ask for one run's metric at a time."""

    def __init__(self, uri: str) -> None:
        import sqlalchemy

        self._sql = sqlalchemy
        try:
            self._engine = sqlalchemy.create_engine(uri)
            self._connection = self._engine.connect()
            self.experiments()
        except Exception as error:
            raise TrackingError(f"no MLflow database at {uri}: {one_line(error)}") from None

    def _rows(
        self, table: str, columns: Sequence[Any], by: str | None = None, **equal: Any
    ) -> Iterator[Sequence[Any]]:
        """Read ``columns`` (names, or expressions of one) of the rows in which others have the values given.

        ``experiment`` is that of the row's run; ``by`` a column by which expressions are aggregated.
        """
        sql = self._sql
        chosen = [sql.column(column) if isinstance(column, str) else column for column in columns]
        query = sql.select(*chosen).select_from(sql.table(table))
        if by is not None:
            query = query.group_by(sql.column(by))
        if (experiment := equal.pop("experiment", None)) is not None:
            runs = sql.table("runs", *map(sql.column, ("run_uuid", "experiment_id", "lifecycle_stage")))
            ours = sql.and_(runs.c.experiment_id == int(experiment), runs.c.lifecycle_stage == "active")
            query = query.where(sql.column("run_uuid").in_(sql.select(runs.c.run_uuid).where(ours)))
        for name, value in equal.items():
            query = query.where(sql.column(name) == value)
        text = query.compile(dialect=self._engine.dialect, compile_kwargs={"literal_binds": True})
        cursor = self._connection.connection.cursor()  # the driver's own: rows cost a tenth
        cursor.execute(str(text))
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield rows

    def _of_metric(
        self, experiment: str, runs: list[MlflowRun], name: str, columns: Sequence[Any], by: str | None = None
    ) -> Iterator[Sequence[Any]]:
        """Read the rows of one metric, those of other experiments' runs among them where these are few.

        For a database to look up the run of each row takes longer than to pass over what is not wanted.
        """
        ((every,),) = next(self._rows("runs", [self._sql.func.count()]))
        only = {} if 2 * len(runs) >= every else {"experiment": experiment}
        return self._rows("metrics", columns, by, key=name, is_nan=self._sql.false(), **only)

    def experiments(self) -> dict[str, str]:
        """Return the identifier of each study by name."""
        parts = self._rows("experiments", ("name", "experiment_id"), lifecycle_stage="active")
        return {name: str(number) for rows in parts for name, number in rows}

    def runs(self, experiment: str) -> list[MlflowRun]:
        """Return all runs of an experiment."""
        columns = ("run_uuid", "status", "start_time", "end_time")
        parts = self._rows("runs", columns, experiment=experiment)
        runs = {row[0]: MlflowRun(*row) for rows in parts for row in rows}
        for table in ("tags", "params"):
            for rows in self._rows(table, ("run_uuid", "key", "value"), experiment=experiment):
                for run, name, value in rows:
                    getattr(runs[run], table)[name] = value
        return list(runs.values())

    def history(self, experiment: str, runs: list[MlflowRun], name: str) -> MetricPoints:
        """Return every value of a metric."""
        place = {run.run_id: number for number, run in enumerate(runs)}
        points = MetricPoints()
        for rows in self._of_metric(experiment, runs, name, ("run_uuid", "step", "value")):
            numbers, epochs, values = zip(*rows, strict=True)
            points.add(map(place.get, numbers, repeat(NO_RUN)), epochs, values)
        return points

    def sums(self, experiment: str, runs: list[MlflowRun], name: str) -> tuple[Floats, Floats]:
        """Return the sum of a metric's values and their number, for each run."""
        value: Any = self._sql.column("value")
        place = {run.run_id: number for number, run in enumerate(runs)}
        columns = ("run_uuid", self._sql.func.sum(value), self._sql.func.count(value))
        found = np.zeros((2, len(runs)))
        for rows in self._of_metric(experiment, runs, name, columns, by="run_uuid"):
            for run, total, count in rows:
                if run in place:
                    found[:, place[run]] = total, count
        return found[0], found[1]


class ServerBackend:
    """Reads an MLflow server, or a folder of files, through the client."""

    def __init__(self, uri: str) -> None:
        from study.tracking.client import client_at

        self._client = client_at(uri)

    def experiments(self) -> dict[str, str]:
        """Return the identifier of each study by name."""
        return {item.name: item.experiment_id for item in self._client.search_experiments()}

    def runs(self, experiment: str) -> list[MlflowRun]:
        """Return all runs of an experiment."""
        runs: list[MlflowRun] = []
        token = None
        while True:
            page = self._client.search_runs([experiment], max_results=PAGE, page_token=token)
            runs += [
                MlflowRun(
                    run.info.run_id,
                    run.info.status,
                    run.info.start_time,
                    run.info.end_time,
                    dict(run.data.tags),
                    dict(run.data.params),
                    dict(run.data.metrics),
                )
                for run in page
            ]
            token = page.token
            if not token:
                return runs

    def history(self, experiment: str, runs: list[MlflowRun], name: str) -> MetricPoints:
        """Return every value of a metric, several runs at once; a metric of the end is known from the run
        itself.
        """
        points = MetricPoints()
        asked = []
        for number, run in enumerate(runs):
            if name.startswith("test/") and run.params.get("test") == "end" and name in run.latest:
                points.add([number], [int(run.tags.get("epochs", 0))], [run.latest[name]])
            elif name in run.latest:
                asked.append(number)
        with ThreadPoolExecutor(HISTORIES_AT_ONCE) as pool:
            ask = self._client.get_metric_history
            found = pool.map(lambda number: ask(runs[number].run_id, name), asked)
            for number, history in zip(asked, found, strict=True):
                points.add(
                    repeat(number, len(history)),
                    [item.step for item in history],
                    [item.value for item in history],
                )
        return points

    def sums(self, experiment: str, runs: list[MlflowRun], name: str) -> tuple[Floats, Floats]:
        """Return the sum of a metric's values and their number, for each run."""
        points = self.history(experiment, runs, name)
        numbers = np.array(points.runs, dtype=np.int64)
        return (
            np.bincount(numbers, np.array(points.values), len(runs)).astype(np.float64),
            np.bincount(numbers, minlength=len(runs)).astype(np.float64),
        )


Store = DatabaseBackend | ServerBackend
