"""The journal, in MLflow: a parent run for the study, a child for each trial, from a background thread.

Everything is keyed: a run is found again by its ``trial_key`` tag, the last epoch it holds by its ``epochs`` tag,
so that sending a record again, after a crash or because MLflow was away, adds nothing twice. While MLflow cannot
be reached the study goes on; the journal keeps what has to be sent, and it is sent when the server is back.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from study.folder import StudyFolder
from study.journal import Record
from study.plan import Job

RETRY_S = 10.0
PARAMETER_LENGTH = 500


class TrackingError(Exception):
    """MLflow cannot be reached."""


def flat(value: Any, prefix: str = "") -> dict[str, str]:
    """A nested configuration as MLflow parameters: ``method.logit.alpha`` -> text."""
    if isinstance(value, dict) and value:
        items = [flat(item, f"{prefix}.{name}" if prefix else name) for name, item in value.items()]
        return {name: text for part in items for name, text in part.items()}
    return {prefix: str(value)[:PARAMETER_LENGTH]}


def connect(folder: StudyFolder) -> Any:
    """An MLflow client for the study's tracking URI.

    Raises:
        TrackingError: it does not answer.
    """
    uri = folder.mlflow_uri
    if uri.startswith("http"):
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
        os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    import logging

    logging.getLogger("alembic").setLevel(logging.ERROR)
    logging.getLogger("mlflow").setLevel(logging.ERROR)
    from mlflow.tracking import MlflowClient

    try:
        client = MlflowClient(tracking_uri=uri)
        client.search_experiments(max_results=1)
    except Exception as error:
        reason = " ".join(str(error).split())[:200]
        raise TrackingError(
            f"MLflow does not answer at {uri}: {reason}; start the server or unset MLFLOW_TRACKING_URI"
        ) from None
    return client


def git_commit() -> str:
    """The commit the study's code is at; empty outside a checkout."""
    where = Path(__file__).parent
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=where, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""


class Tracker:
    """Watches a study and brings its records to MLflow, some time later."""

    def __init__(self, folder: StudyFolder, spec: dict[str, Any], say: Callable[[str], None]) -> None:
        self.folder = folder
        self.spec = spec
        self._say = say
        self._pending: dict[str, Record] = {}
        self._changed = threading.Condition()
        self._closing = False
        self._away = False
        self._mirror: Mirror | None = None
        self._thread = threading.Thread(target=self._work, name="tracking", daemon=True)
        self._thread.start()

    def stage(self, name: str, total: int, left: int) -> None:
        """Nothing to send."""

    def began(self, job: Job, record: Record) -> None:
        """Queue the trial."""
        self._queue(record)

    def reported(self, record: Record, epoch: int) -> None:
        """Queue the trial."""
        self._queue(record)

    def ended(self, record: Record) -> None:
        """Queue the trial."""
        self._queue(record)

    def replay(self, records: dict[str, Record]) -> None:
        """Queue all trials of a journal; what MLflow has already is not sent again."""
        for record in records.values():
            self._queue(record)

    def close(self, timeout: float) -> bool:
        """Send what is queued, for at most ``timeout`` seconds; whether all of it was sent."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(timeout)
        return not self._thread.is_alive() and not self._pending

    def _queue(self, record: Record) -> None:
        copy = replace(record, history=list(record.history), times=list(record.times))
        with self._changed:
            self._pending[record.key] = copy
            self._changed.notify()

    def _work(self) -> None:
        while True:
            with self._changed:
                while not self._pending and not self._closing:
                    self._changed.wait()
                if not self._pending:
                    return
                key = next(iter(self._pending))
                record = self._pending.pop(key)
            try:
                if self._mirror is None:
                    self._mirror = Mirror(connect(self.folder), self.folder, self.spec)
                self._mirror.send(record)
            except Exception as error:
                self._put_back(record, error)
            else:
                if self._away:
                    self._away = False
                    self._say("MLflow is back; sending what it missed")

    def _put_back(self, record: Record, error: Exception) -> None:
        with self._changed:
            self._pending.setdefault(record.key, record)
            if not self._away:
                self._away = True
                reason = " ".join(str(error).split())[:160]
                self._say(
                    f"MLflow is away ({reason}); the study goes on and sends everything when it is back"
                )
            if not self._closing:
                self._changed.wait(RETRY_S)
                return
        time.sleep(0.5)


class Mirror:
    """The runs of one study in MLflow."""

    def __init__(self, client: Any, folder: StudyFolder, spec: dict[str, Any]) -> None:
        self.client = client
        self.folder = folder
        experiment = client.get_experiment_by_name(folder.name)
        self.experiment = (
            experiment.experiment_id
            if experiment is not None
            else client.create_experiment(folder.name, artifact_location=folder.mlflow_artifacts)
        )
        self.commit = git_commit()
        self.parent = self._open_parent(spec)
        self.runs: dict[str, tuple[str, int, str]] = {
            run.data.tags["trial_key"]: (
                run.info.run_id,
                int(run.data.tags.get("epochs", 0)),
                run.data.tags.get("trial_status", ""),
            )
            for run in self._search(f"tags.`mlflow.parentRunId` = '{self.parent}'")
        }

    def _search(self, query: str) -> list[Any]:
        runs, token = [], None
        while True:
            page = self.client.search_runs([self.experiment], query, max_results=1000, page_token=token)
            runs += list(page)
            token = page.token
            if not token:
                return runs

    def _open_parent(self, spec: dict[str, Any]) -> str:
        known = self._search(f"tags.study = '{self.folder.name}' and tags.stage = 'study'")
        if known:
            return str(known[0].info.run_id)
        tags = {"study": self.folder.name, "stage": "study", "git_commit": self.commit}
        run = self.client.create_run(self.experiment, run_name=self.folder.name, tags=tags)
        self.client.log_dict(run.info.run_id, spec, "study.json")
        return str(run.info.run_id)

    def send(self, record: Record) -> None:
        """Bring the run of ``record`` up to date."""
        from mlflow.entities import Metric, RunTag

        run, sent, status = self.runs.get(record.key) or self._open(record)
        metrics = [
            Metric(name, float(value), int(when * 1000), int(values["epoch"]))
            for values, when in zip(record.history[sent:], record.times[sent:], strict=True)
            for name, value in values.items()
            if name != "epoch"
        ]
        if metrics or status != record.status:
            for start in range(0, len(metrics), 900):
                self.client.log_batch(run, metrics=metrics[start : start + 900])
            if record.status not in ("running", status):
                self._finish(run, record)
            tags = {
                "epochs": str(len(record.history)),
                "trial_status": record.status,
                "reason": record.reason,
            }
            self.client.log_batch(run, tags=[RunTag(name, value[:5000]) for name, value in tags.items()])
        self.runs[record.key] = (run, len(record.history), record.status)

    def _open(self, record: Record) -> tuple[str, int, str]:
        tags = {
            "mlflow.parentRunId": self.parent,
            "study": self.folder.name,
            "trial_key": record.key,
            "pair": record.pair,
            "method": record.method,
            "stage": record.stage,
            "role": record.role,
            "seed": str(record.config["seed"]),
            "git_commit": self.commit,
        }
        name = " ".join(filter(None, [record.stage, record.pair, record.method, record.role, record.key[:6]]))
        run = self.client.create_run(
            self.experiment, start_time=int(record.started * 1000), run_name=name, tags=tags
        )
        from mlflow.entities import Param

        parameters = [Param(name, text) for name, text in flat(record.config).items()]
        self.client.log_batch(run.info.run_id, params=parameters)
        return str(run.info.run_id), 0, ""

    def _finish(self, run: str, record: Record) -> None:
        """Log the artifacts and close the run."""
        self.client.log_dict(run, record.config, "config.json")
        student = self.folder.store.run(record.key).student
        if record.status == "done" and student.exists():
            self.client.log_artifact(run, str(student), "weights")
        if record.history:
            from study.report.figures import trial_curves

            with tempfile.TemporaryDirectory() as scratch:
                self.client.log_artifact(run, str(trial_curves(record, Path(scratch) / "curves.png")))
        state = {"done": "FINISHED", "stopped": "FINISHED", "failed": "FAILED"}[record.status]
        self.client.set_terminated(run, state, int((record.ended or time.time()) * 1000))


def finish_parent(tracker: Tracker, artifacts: list[Path], metrics: dict[str, float]) -> None:
    """Log the study's tables to its parent run and close it."""
    mirror = tracker._mirror
    if mirror is None:
        return
    for path in artifacts:
        mirror.client.log_artifact(
            mirror.parent, str(path), path.parent.name if path.parent.name != mirror.folder.name else None
        )
    for name, value in metrics.items():
        mirror.client.log_metric(mirror.parent, name, value)
    mirror.client.set_terminated(mirror.parent, "FINISHED")
