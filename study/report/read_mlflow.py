"""Studies as MLflow has them: one query a table from a database, page by page from a server."""

from __future__ import annotations

import ast
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import repeat
from pathlib import Path
from typing import Any

import numpy as np

from study.errors import TrackingError, UserError
from study.journal import Record
from study.report.curves import Curves
from study.report.frames import WANTED, Source
from trainables.strict import suggestion

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
STATUS = {"FINISHED": "done", "FAILED": "failed", "KILLED": "failed"}
HISTORIES_AT_ONCE = 8
PAGE = 1000
ROWS_AT_ONCE = 20_000
NO_RUN = -1


@dataclass(slots=True)
class Run:
    """One run, whichever way it was read. ``started``, ``ended``: milliseconds since 1970."""

    run_id: str
    status: str
    started: int | None
    ended: int | None
    tags: dict[str, str] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Points:
    """Values of one metric: the run's position, the epoch from 1, the value."""

    runs: array[int] = field(default_factory=lambda: array("q"))
    epochs: array[int] = field(default_factory=lambda: array("q"))
    values: array[float] = field(default_factory=lambda: array("d"))

    def add(self, runs: Iterable[int], epochs: Iterable[int], values: Iterable[float]) -> None:
        """More values."""
        self.runs.extend(runs)
        self.epochs.extend(epochs)
        self.values.extend(values)


def read_mlflow(uri: str, studies: Iterable[str]) -> list[Source]:
    """The studies of those names.

    Raises:
        TrackingError: nothing answers at ``uri``.
        UserError: there is no such study.
    """
    store = _open(uri)
    sources = []
    for study in studies:
        experiments = store.experiments()
        if study not in experiments:
            hint = suggestion(study, experiments) if experiments else "it holds no study"
            raise UserError(f"no study '{study}' in MLflow at {uri}; {hint}")
        sources.append(_source(store, experiments[study], study))
    return sources


def _source(store: Store, experiment: str, study: str) -> Source:
    runs = store.runs(experiment)
    parents = [run for run in runs if run.tags.get("stage") == "study"]
    trials = sorted((run for run in runs if "trial_key" in run.tags), key=lambda run: run.started or 0)
    tags = parents[0].tags if parents else {}
    metric = tags.get("maximize") or WANTED[0]
    names = tuple(dict.fromkeys([*WANTED, metric]))
    curves = _curves(names, trials, {name: store.history(experiment, trials, name) for name in names})
    asked = int(tags["confirm_seeds"]) if tags.get("confirm_seeds") else None
    return Source(study, [_record(run) for run in trials], curves, asked, metric)


def _curves(names: tuple[str, ...], runs: list[Run], points: Mapping[str, Points]) -> Curves:
    lengths = np.array([int(run.tags.get("epochs", 0)) for run in runs], dtype=np.int64)
    starts = np.cumsum(lengths) - lengths
    values = np.full((int(lengths.sum()), len(names)), np.nan)
    for column, name in enumerate(names):
        found = points[name]
        run, epoch = np.array(found.runs, dtype=np.int64), np.array(found.epochs, dtype=np.int64)
        known = (run != NO_RUN) & (epoch >= 1) & (epoch <= lengths[run])
        values[starts[run[known]] + epoch[known] - 1, column] = np.array(found.values)[known]
    return Curves(names, lengths, values)


def _record(run: Run) -> Record:
    tags = run.tags
    return Record(
        key=tags["trial_key"],
        stage=tags.get("stage", ""),
        pair=tags.get("pair", ""),
        method=tags.get("method", ""),
        role=tags.get("role", ""),
        arm=tags.get("arm", ""),
        config=nested(run.params),
        started=(run.started or 0) / 1000,
        status=tags.get("trial_status") or STATUS.get(run.status, "running"),
        reason=tags.get("reason", ""),
        ended=run.ended / 1000 if run.ended else None,
    )


def nested(params: Mapping[str, str]) -> dict[str, Any]:
    """The configuration behind MLflow parameters, the inverse of ``study.mlflow_runs.flat``."""
    config: dict[str, Any] = {}
    for name, text in params.items():
        *path, last = name.split(".")
        place = config
        for part in path:
            place = place.setdefault(part, {})
        place[last] = _value(text)
    return config


def _value(text: str) -> Any:
    value = _literal(text)
    return list(value) if isinstance(value, list) else value


@lru_cache(maxsize=10_000)
def _literal(text: str) -> Any:
    if len(text) >= 32 and text.isalnum():
        return text  # a hash, whatever its digits look like
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _open(uri: str) -> Store:
    kind = uri.split(":", 1)[0].split("+", 1)[0]
    if kind not in DATABASES:
        return Server(uri)
    if kind == "sqlite" and not Path(uri.split("sqlite:///", 1)[-1]).is_file():
        raise TrackingError(f"no MLflow database at {uri}")
    return Database(uri)


class Database:
    """An MLflow database, read directly: the client would ask for one run's metric at a time."""

    def __init__(self, uri: str) -> None:
        import sqlalchemy

        self._sql = sqlalchemy
        try:
            self._engine = sqlalchemy.create_engine(uri)
            self._connection = self._engine.connect()
            self.experiments()
        except Exception as error:
            reason = " ".join(str(error).split())[:160]
            raise TrackingError(f"no MLflow database at {uri}: {reason}") from None

    def _rows(self, table: str, columns: Sequence[str], **equal: Any) -> Iterator[Sequence[Any]]:
        """``columns`` of the rows in which others have the values given; ``experiment`` is the run's."""
        sql = self._sql
        source = sql.table(table, *map(sql.column, columns))
        query = sql.select(*source.c)
        if (experiment := equal.pop("experiment", None)) is not None:
            runs = sql.table("runs", *map(sql.column, ("run_uuid", "experiment_id", "lifecycle_stage")))
            ours = sql.and_(runs.c.experiment_id == int(experiment), runs.c.lifecycle_stage == "active")
            query = query.where(source.c.run_uuid.in_(sql.select(runs.c.run_uuid).where(ours)))
        for name, value in equal.items():
            query = query.where(sql.column(name) == value)
        text = query.compile(dialect=self._engine.dialect, compile_kwargs={"literal_binds": True})
        cursor = self._connection.connection.cursor()  # the driver's own: rows cost a tenth
        cursor.execute(str(text))
        while rows := cursor.fetchmany(ROWS_AT_ONCE):
            yield rows

    def experiments(self) -> dict[str, str]:
        """Identifier of each study by name."""
        parts = self._rows("experiments", ("name", "experiment_id"), lifecycle_stage="active")
        return {name: str(number) for rows in parts for name, number in rows}

    def runs(self, experiment: str) -> list[Run]:
        """All runs of an experiment."""
        columns = ("run_uuid", "status", "start_time", "end_time")
        parts = self._rows("runs", columns, experiment=experiment)
        runs = {row[0]: Run(*row) for rows in parts for row in rows}
        for table in ("tags", "params"):
            for rows in self._rows(table, ("run_uuid", "key", "value"), experiment=experiment):
                for run, name, value in rows:
                    getattr(runs[run], table)[name] = value
        return list(runs.values())

    def history(self, experiment: str, runs: list[Run], name: str) -> Points:
        """Every value of a metric."""
        place = {run.run_id: number for number, run in enumerate(runs)}
        points = Points()
        columns = ("run_uuid", "step", "value")
        for rows in self._rows("metrics", columns, experiment=experiment, key=name, is_nan=self._sql.false()):
            numbers, epochs, values = zip(*rows, strict=True)
            points.add(map(place.get, numbers, repeat(NO_RUN)), epochs, values)
        return points


class Server:
    """An MLflow server, or a folder of files, through the client."""

    def __init__(self, uri: str) -> None:
        from study.mlflow_runs import client_at

        self._client = client_at(uri)

    def experiments(self) -> dict[str, str]:
        """Identifier of each study by name."""
        return {item.name: item.experiment_id for item in self._client.search_experiments()}

    def runs(self, experiment: str) -> list[Run]:
        """All runs of an experiment."""
        runs: list[Run] = []
        token = None
        while True:
            page = self._client.search_runs([experiment], max_results=PAGE, page_token=token)
            runs += [
                Run(
                    run.info.run_id,
                    run.info.status,
                    run.info.start_time,
                    run.info.end_time,
                    dict(run.data.tags),
                    dict(run.data.params),
                )
                for run in page
            ]
            token = page.token
            if not token:
                return runs

    def history(self, experiment: str, runs: list[Run], name: str) -> Points:
        """Every value of a metric, several runs at once."""
        points = Points()
        with ThreadPoolExecutor(HISTORIES_AT_ONCE) as pool:
            found = pool.map(lambda run: self._client.get_metric_history(run.run_id, name), runs)
            for number, history in enumerate(found):
                points.add(
                    repeat(number, len(history)),
                    [item.step for item in history],
                    [item.value for item in history],
                )
        return points


Store = Database | Server
