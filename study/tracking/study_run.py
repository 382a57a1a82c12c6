"""Writes the run of the study itself: what is searched, the best so far, in the end table and models."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from study.journal.record import TrialRecord
from study.tracking.model_registry import BestStudent, model_name
from study.tracking.provenance import log_data, source_tags
from study.workspace.folder import StudyFolder

PARAMETER_LENGTH = 500
PARTS = ("training", "teacher_training", "search", "budget", "confirm")
"""Parts of a spec that the study's run shows as parameters, beside data and pairs."""


@dataclass(frozen=True, slots=True)
class StudyOutcome:
    """Holds what a finished study leaves behind.

    Attributes:
        files: of its report.
        students: the best of each pair, to be registered.
        metrics: of the study's run, from :func:`confirmed_metrics`.
        sentences: what came out, in words.
    """

    files: Sequence[Path]
    students: Sequence[BestStudent] = ()
    metrics: Mapping[str, float] = field(default_factory=dict)
    sentences: Sequence[str] = ()


class StudyRun:
    """Holds open the run that a study's trials are children of.

    Attributes:
        run_id: MLflow's.
    """

    def __init__(self, client: Any, experiment: str, folder: StudyFolder, spec: dict[str, Any]) -> None:
        self._client = client
        self._folder = folder
        self._metric = str(spec.get("search", {}).get("maximize", ""))
        query = f"tags.study = '{folder.name}' and tags.stage = 'study'"
        known = client.search_runs([experiment], query, max_results=1)
        tags = {**source_tags(), **_asked(spec)}
        if known:
            self.run_id = str(known[0].info.run_id)
            for name, value in tags.items():
                client.set_tag(self.run_id, name, value)
            client.update_run(self.run_id, status="RUNNING")
        else:
            tags |= {"study": folder.name, "stage": "study"}
            self.run_id = str(client.create_run(experiment, run_name=folder.name, tags=tags).info.run_id)
        self._best = known[0].data.metrics.get(f"best/{self._metric}", -1.0) if known else -1.0
        self._inputs = bool(known and known[0].inputs and known[0].inputs.dataset_inputs)
        self._describe(spec, known[0].data.params if known else {})

    def _describe(self, spec: dict[str, Any], known: Mapping[str, str]) -> None:
        """Log the spec as parameters. MLflow's never change: what a later launch changed becomes a tag."""
        from mlflow.entities import Param

        asked = parameters(spec)
        new = [Param(name, text) for name, text in asked.items() if name not in known]
        if new:
            self._client.log_batch(self.run_id, params=new)
        changed = {name: text for name, text in asked.items() if known.get(name, text) != text}
        if changed:
            self._client.set_tag(self.run_id, "changed_since_first_launch", json.dumps(changed)[:5000])
        if changed or not known:
            self._client.log_dict(self.run_id, spec, "study.json")

    def began(self, record: TrialRecord) -> None:
        """Name the data set, which the first trial knows."""
        if not self._inputs:
            self._inputs = True
            log_data(self._client, self.run_id, record.trial.data, "train, validation and test")

    def ended(self, record: TrialRecord, number: int) -> None:
        """Log the best value of the search, where the ``number``-th trial to end raised it."""
        final = record.final.get(self._metric) if record.stage == "search" else None
        if final is not None and record.status == "done" and final > self._best:
            self._best = final
            when = int((record.ended or time.time()) * 1000)
            self._client.log_metric(self.run_id, f"best/{self._metric}", final, when, number)

    def finish(self, outcome: StudyOutcome) -> None:
        """Log the report's files and metrics, show its table as the description, close the run."""
        from mlflow.entities import Metric

        now, table = int(time.time() * 1000), ""
        for path in outcome.files:
            inside = path.parent.name if path.parent != self._folder.path else None
            self._client.log_artifact(self.run_id, str(path), inside)
            if path.name == "summary.md":
                table = path.read_text(encoding="utf-8")
        self._client.set_tag(self.run_id, "mlflow.note.content", description(self._folder, outcome, table))
        metrics = [Metric(name, value, now, 0) for name, value in outcome.metrics.items()]
        if metrics:
            self._client.log_batch(self.run_id, metrics=metrics)
        self._client.set_terminated(self.run_id, "FINISHED")


def description(folder: StudyFolder, outcome: StudyOutcome, table: str) -> str:
    """Return the text of a study's run, Markdown: what came out, the table, its registered models."""
    models = [model_name(folder.name, student.pair) for student in outcome.students]
    links = [f"- [{name}](#/models/{name}) " for name in models]
    parts = [
        " ".join(outcome.sentences),
        f"Test top-1 of confirmed configurations:\n\n{table}" if table else "",
        "\n".join(["Registered models:\n", *links]) if links else "",
        "The whole report is `report.html` among the artifacts.",
    ]
    return "\n\n".join(filter(None, parts))


def confirmed_metrics(rows: Sequence[Mapping[Any, Any]]) -> dict[str, float]:
    """Return mean test top-1 of each pair and method, and its gain, from rows of the summary.

    >>> rows = [{"pair": "a-b", "method": "SD-KD", "role": "best", "top1": 71.5, "gain": 0.5}]
    >>> confirmed_metrics(rows)
    {'test/top1/a-b/SD-KD': 71.5, 'gain/a-b/SD-KD': 0.5}
    """
    found: dict[str, float] = {}
    for row in rows:
        paper = "/paper" if row["role"] == "paper" else ""
        what = re.sub(r"[^\w\-. :/]", "_", f"{row['pair']}/{row['method']}{paper}")
        for name, value in ((f"test/top1/{what}", row["top1"]), (f"gain/{what}", row["gain"])):
            if value == value:
                found.setdefault(name, float(value))
    return found


def parameters(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return what a study's run shows as parameters; fields that are None are left out."""
    shown: dict[str, Any] = {name: spec[name] for name in PARTS if spec.get(name)}
    if data := spec.get("data"):
        shown["data"] = data["name"]
    if pairs := spec.get("pairs"):
        shown["pairs"] = ", ".join(f"{_text(pair['teacher'])}-{pair['student']}" for pair in pairs)
    return {name: text for name, text in flat(shown).items() if name and text != "None"}


def _text(teacher: Any) -> str:
    return teacher if isinstance(teacher, str) else "/".join(map(str, teacher["options"]))


def _asked(spec: Mapping[str, Any]) -> dict[str, str]:
    """Return the tags that :mod:`study.tracking.run_reader` reads."""
    confirm, search = spec.get("confirm", {}), spec.get("search", {})
    said = {
        "confirm_seeds": confirm.get("seeds"),
        "confirm_at_most": confirm.get("at_most"),
        "maximize": search.get("maximize"),
    }
    return {name: str(value) for name, value in said.items() if value}


def flat(value: Any, prefix: str = "") -> dict[str, str]:
    """Return a nested configuration as MLflow parameters: ``method.logit.alpha`` -> text."""
    if isinstance(value, dict) and value:
        items = [flat(item, f"{prefix}.{name}" if prefix else name) for name, item in value.items()]
        return {name: text for part in items for name, text in part.items()}
    return {prefix: str(value)[:PARAMETER_LENGTH]}
