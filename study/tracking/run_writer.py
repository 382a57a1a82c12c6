"""Writes a study's runs to MLflow: a parent for the study, a child for each trial, found again by its key."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.journal.record import TrialRecord
from study.tracking.model_registry import BestStudent, register
from study.tracking.refusals import usable
from study.workspace.folder import StudyFolder

PARAMETER_LENGTH = 500
BATCH = 900
"""Most metrics that one call sends; MLflow takes 1,000."""


@dataclass(frozen=True, slots=True)
class StudyOutcome:
    """Holds what a finished study leaves behind: files of its report, and the best student of each pair."""

    files: Sequence[Path]
    students: Sequence[BestStudent] = ()


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
        asked = {
            "confirm_seeds": str(spec.get("confirm", {}).get("seeds", "")),
            "confirm_at_most": str(spec.get("confirm", {}).get("at_most") or ""),
            "maximize": str(spec.get("search", {}).get("maximize", "")),
        }
        if known:
            for name, value in asked.items():
                self.client.set_tag(known[0].info.run_id, name, value)
            return str(known[0].info.run_id)
        tags = {**asked, "study": self.folder.name, "stage": "study", "git_commit": self.commit}
        run = self.client.create_run(self.experiment, run_name=self.folder.name, tags=tags)
        self.client.log_dict(run.info.run_id, spec, "study.json")
        return str(run.info.run_id)

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
        for path in outcome.files:
            inside = path.parent.name if path.parent != self.folder.path else None
            self.client.log_artifact(self.parent, str(path), inside)
            if path.name == "summary.md":
                self.client.set_tag(self.parent, "mlflow.note.content", path.read_text(encoding="utf-8"))
        self.client.set_terminated(self.parent, "FINISHED")


def flat(value: Any, prefix: str = "") -> dict[str, str]:
    """Return a nested configuration as MLflow parameters: ``method.logit.alpha`` -> text."""
    if isinstance(value, dict) and value:
        items = [flat(item, f"{prefix}.{name}" if prefix else name) for name, item in value.items()]
        return {name: text for part in items for name, text in part.items()}
    return {prefix: str(value)[:PARAMETER_LENGTH]}


def git_commit() -> str:
    """Return the commit the study's code is at; empty outside a checkout."""
    where = Path(__file__).parent
    done = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=where, capture_output=True, text=True, check=False
    )
    return done.stdout.strip() if done.returncode == 0 else ""
