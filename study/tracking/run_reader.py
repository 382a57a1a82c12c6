"""Reads studies as MLflow has them."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, TypeVar, get_args

import numpy as np

from study.errors import UserError
from study.journal.curves import LearningCurves
from study.journal.record import STATUSES, TrialRecord, TrialStatus
from study.plan.plan import STAGES
from study.plan.trial import Role
from study.results.loaded_study import BATCH_MS, SECONDS, WANTED, LoadedStudy
from study.spec.study import Confirm
from study.tracking.backends import NO_RUN, MetricPoints, MlflowRun, Store, open_store
from trainables.errors import suggestion

W = TypeVar("W", bound=str)

STATUS: dict[str, TrialStatus] = {"FINISHED": "done", "FAILED": "failed", "KILLED": "failed"}


def read_mlflow(uri: str, studies: Iterable[str]) -> list[LoadedStudy]:
    """Return the studies of those names.

    Raises:
        TrackingError: nothing answers at ``uri``.
        UserError: there is no such study.
    """
    store = open_store(uri)
    sources = []
    for study in studies:
        experiments = store.experiments()
        if study not in experiments:
            hint = suggestion(study, experiments) if experiments else "it holds no study"
            raise UserError(f"no study '{study}' in MLflow at {uri}; {hint}")
        sources.append(_source(store, experiments[study], study))
    return sources


def _source(store: Store, experiment: str, study: str) -> LoadedStudy:
    runs = store.runs(experiment)
    parents = [run for run in runs if run.tags.get("stage") == "study"]
    trials = sorted((run for run in runs if "trial_key" in run.tags), key=lambda run: run.started or 0)
    tags = parents[0].tags if parents else {}
    metric = tags.get("maximize") or WANTED[0]
    names = tuple(dict.fromkeys([*WANTED, metric]))
    curves = _curves(names, trials, {name: store.history(experiment, trials, name) for name in names})
    seeds, most = (
        int(tags[name]) if tags.get(name) else None for name in ("confirm_seeds", "confirm_at_most")
    )
    asked = Confirm(seeds=seeds, at_most=most) if seeds else None
    seconds, _ = store.sums(experiment, trials, SECONDS)
    batch_ms, batches = store.sums(experiment, trials, BATCH_MS)
    batch_ms = np.divide(batch_ms, batches, out=np.full(len(trials), np.nan), where=batches > 0)
    return LoadedStudy(study, [_record(run) for run in trials], curves, seconds, batch_ms, asked, metric)


def _curves(
    names: tuple[str, ...], runs: list[MlflowRun], points: Mapping[str, MetricPoints]
) -> LearningCurves:
    lengths = np.array([int(run.tags.get("epochs", 0)) for run in runs], dtype=np.int64)
    starts = np.cumsum(lengths) - lengths
    values = np.full((int(lengths.sum()), len(names)), np.nan)
    for column, name in enumerate(names):
        found = points[name]
        run, epoch = np.array(found.runs, dtype=np.int64), np.array(found.epochs, dtype=np.int64)
        known = (run != NO_RUN) & (epoch >= 1) & (epoch <= lengths[run])
        values[starts[run[known]] + epoch[known] - 1, column] = np.array(found.values)[known]
    return LearningCurves(names, lengths, values)


def _record(run: MlflowRun) -> TrialRecord:
    tags = run.tags
    return TrialRecord(
        key=tags["trial_key"],
        stage=_word(tags.get("stage"), "confirm", STAGES),
        pair=tags.get("pair", ""),
        method=tags.get("method", ""),
        role=_word(tags.get("role"), "", get_args(Role)),
        search=tags.get("search", ""),
        point=json.loads(tags.get("point", "{}")),
        config=nested(run.params),
        started=(run.started or 0) / 1000,
        status=_status(run),
        reason=tags.get("reason", ""),
        ended=run.ended / 1000 if run.ended else None,
    )


def _word(found: str | None, otherwise: W, known: Iterable[W]) -> W:
    """Return the word among those ``known`` that a tag holds."""
    words: dict[str | None, W] = {word: word for word in known}
    return words.get(found, otherwise)


def _status(run: MlflowRun) -> TrialStatus:
    """Return a trial's status, by the journal's word if the run has it, else by MLflow's."""
    return _word(run.tags.get("trial_status"), STATUS.get(run.status, "running"), STATUSES)


def nested(params: Mapping[str, str]) -> dict[str, Any]:
    """Return the configuration behind MLflow parameters: undo :func:`study.tracking.study_run.flat`."""
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
