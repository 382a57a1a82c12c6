"""Writes a study's runs to MLflow: a parent for the study, a child for each trial, found again by its key."""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from study.journal.labels import settings
from study.journal.record import TrialRecord
from study.tracking.model_registry import register
from study.tracking.provenance import log_data, source_tags
from study.tracking.refusals import usable
from study.tracking.study_run import StudyOutcome, StudyRun, flat
from study.workspace.folder import StudyFolder

TRAINED_ON = {"train": "train and validation", "all": "train and test"}
"""Parts of the data set that a trial saw, by its ``fit``."""

BATCH = 900
"""Most metrics that one call sends; MLflow takes 1,000."""


class RunWriter:
    """Writes the runs of one study to MLflow."""

    def __init__(self, client: Any, folder: StudyFolder, spec: dict[str, Any]) -> None:
        self.client = client
        self.folder = folder
        experiment = usable(client.get_experiment_by_name(folder.name), folder.mlflow_uri)
        self.experiment = (
            experiment.experiment_id
            if experiment is not None
            else client.create_experiment(folder.name, artifact_location=folder.mlflow_artifacts)
        )
        self.client.set_experiment_tag(self.experiment, "mlflow.experimentKind", "custom_model_development")
        self._tags = source_tags()
        self.study = StudyRun(client, self.experiment, folder, spec)
        self.parent = self.study.run_id
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

    def send(self, record: TrialRecord) -> None:
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
            for start in range(0, len(metrics), BATCH):
                self.client.log_batch(run, metrics=metrics[start : start + BATCH])
            if record.status not in ("running", status):
                self._finish(run, record)
                ended = sum(known not in ("", "running") for _, _, known in self.runs.values())
                self.study.ended(record, ended + 1)
            tags = {
                "epochs": str(len(record.history)),
                "trial_status": record.status,
                "reason": record.reason,
            }
            self.client.log_batch(run, tags=[RunTag(name, value[:5000]) for name, value in tags.items()])
        self.runs[record.key] = (run, len(record.history), record.status)

    def _open(self, record: TrialRecord) -> tuple[str, int, str]:
        tags = {
            "mlflow.parentRunId": self.parent,
            "study": self.folder.name,
            "trial_key": record.key,
            "pair": record.pair,
            "method": record.method,
            "stage": record.stage,
            "role": record.role,
            "seed": str(record.trial.seed),
            "search": record.search,
            "point": json.dumps(record.point),
            **self._tags,
        }
        name = run_name(record)
        run = self.client.create_run(
            self.experiment, start_time=int(record.started * 1000), run_name=name, tags=tags
        )
        from mlflow.entities import Param

        parameters = [Param(name, text) for name, text in flat(record.config).items()]
        self.client.log_batch(run.info.run_id, params=parameters)
        log_data(self.client, run.info.run_id, record.trial.data, TRAINED_ON[record.trial.fit])
        self.study.began(record)
        return str(run.info.run_id), 0, ""

    def _finish(self, run: str, record: TrialRecord) -> None:
        """Log the artifacts and close the run."""
        self.client.log_dict(run, record.config, "config.json")
        student = self.folder.store.run(record.key).student()
        if record.status == "done" and student.exists():
            self.client.log_artifact(run, str(student), "weights")
        if record.history:
            from study.report.figures.style import trial_curves

            with tempfile.TemporaryDirectory() as scratch:
                self.client.log_artifact(run, str(trial_curves(record, Path(scratch) / "curves.png")))
        state = {"done": "FINISHED", "stopped": "FINISHED", "failed": "FAILED"}[record.status]
        self.client.set_terminated(run, state, int((record.ended or time.time()) * 1000))

    def finish_study(self, outcome: StudyOutcome) -> None:
        """Register the students; log the report to the parent run, show its summary there, close it."""
        for student in outcome.students:
            run, _, _ = self.runs[student.key]
            register(self.client, run, self.folder.name, student, self.folder.store)
        self.study.finish(outcome)


def run_name(record: TrialRecord) -> str:
    """Return what tells a run from the others, what differs most first: MLflow's pages cut a name off.

    >>> config = {"data": {"name": "cifar100"}, "student": "vgg8", "seed": 2}
    >>> where = {"stage": "confirm", "pair": "vgg13-vgg8", "method": "CE", "role": "baseline", "search": ""}
    >>> run_name(TrialRecord(key="0123456789abcdef", **where, config=config, started=0.0))
    'CE seed 2 vgg13-vgg8 confirm baseline 012345'
    """
    role = "" if record.role == "best" else record.role
    method = settings(record).replace("alpha ", "α ").replace("beta ", "β ")
    return " ".join(filter(None, [method, record.pair, record.stage, role, record.key[:6]]))
