"""Makes pandas frames of trials, the same from every source; the CSVs are these frames."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from study.journal.curves import LearningCurves
from study.journal.record import TrialRecord
from study.results.loaded_study import UNKNOWN_GOALS, WANTED, LoadedStudy, SearchGoals, all_names
from study.results.trial_settings import data_label, is_published, settings_hash
from study.spec.domains import label
from study.spec.knobs import ABSENT, Knob
from study.spec.settings import KNOBS, settings_of
from study.spec.study import Confirm

COLUMN_KNOBS = sorted((row for row in KNOBS if row.column), key=lambda row: row.column)
"""Knobs that have a column in every study."""

TRIAL_COLUMNS = [
    "trial_key",
    "study",
    "stage",
    "status",
    "pair",
    "teacher",
    "student",
    "method",
    "role",
    *(row.name for row in COLUMN_KNOBS if row.column < 10),
    "seed",
    "epochs",
    "epochs_planned",
    "val/top1",
    "val/top1_best",
    "test/top1",
    "test/top1_best",
    "seconds",
    "reason",
    "data",
    *(row.name for row in COLUMN_KNOBS if row.column >= 10),
    "test/top5",
    "test/top5_best",
    "test/top1_chosen",
    "test/top5_chosen",
    "watched",
    "time/batch_ms",
    "started",
    "ended",
    "published",
    "settings",
    "asked",
    "weights",
    "search",
    "searched",
    "at_most",
]
"""Columns of ``trials.csv``, one row a trial; accuracies in percent, seconds of training without waiting.

``*_best``: highest over the epochs. ``*_chosen``: at the epoch with the highest ``val/top1``. ``watched``:
the test split was measured after every epoch. ``started``, ``ended``: seconds since 1970. ``published``: the
method's settings are the paper's. ``settings``: hash of all that decides the result but the seed. ``asked``:
seeds the study asked for. ``weights``: hash of the teacher's weights, of a given teacher its own.
``at_most``: seeds the study asked for where a comparison stayed open.
``search``: label of the search a trial belongs to; ``searched``: what it asked for, separated by spaces. Each
of these that has no column above has one at the end, with the value in every trial of the study.
"""


@dataclass(frozen=True, slots=True)
class RunFrames:
    """Holds the trials of one study or of several.

    Attributes:
        trials: one row a trial, :data:`TRIAL_COLUMNS`, rows numbered from 0.
        configs: their configurations, in the same order.
        curves: their metrics epoch by epoch, in the same order.
        metric: what the search maximised.
        goals: what the searches of each study went for, by the study's name.
    """

    trials: pd.DataFrame
    configs: list[dict[str, Any]]
    curves: LearningCurves
    metric: str = WANTED[0]
    goals: Mapping[str, SearchGoals] = field(default_factory=dict)

    @property
    def counted(self) -> pd.DataFrame:
        """Finished trials, each key once; what tables are made of."""
        done = self.trials[self.trials["status"] == "done"]
        published = done.groupby("trial_key")["published"].transform("any")
        return done.assign(published=published).drop_duplicates("trial_key")


def gather(sources: Sequence[LoadedStudy]) -> RunFrames:
    """Put the trials of ``sources`` in one frame."""
    trials = pd.concat([_frame(source) for source in sources], ignore_index=True)
    return RunFrames(
        trials,
        [record.config for source in sources for record in source.records],
        LearningCurves.concatenate([source.curves for source in sources]),
        sources[0].metric,
        {source.study: source.goals for source in sources},
    )


def from_records(
    study: str,
    records: Iterable[TrialRecord],
    asked: Confirm | None = None,
    metric: str = WANTED[0],
    goals: SearchGoals = UNKNOWN_GOALS,
) -> RunFrames:
    """Return the trials of one study from its journal in memory."""
    kept = list(records)
    names = all_names(metric, *goals.metrics)
    curves = LearningCurves.from_histories(names, [record.history for record in kept])
    return gather([LoadedStudy.of_curves(study, kept, curves, asked, metric, goals)])


def trials_frame(study: str, records: Iterable[TrialRecord]) -> pd.DataFrame:
    """Return one row a trial, in the order in which they began."""
    return from_records(study, records).trials


def metrics_frame(records: Iterable[TrialRecord]) -> pd.DataFrame:
    """Return ``trial_key, step, name, value``: every metric of every epoch; ``step`` is the epoch, from 1."""
    rows = [
        (record.key, int(metrics["epoch"]), name, value)
        for record in records
        for metrics in record.history
        for name, value in metrics.items()
        if name != "epoch"
    ]
    return pd.DataFrame(rows, columns=["trial_key", "step", "name", "value"])


def searched_names(records: Iterable[TrialRecord]) -> list[str]:
    """Name what the trials' searches asked for, one name for all pairs, in the order of asking."""
    names = (name for record in records for name in record.asked)
    return [name for name in dict.fromkeys(names) if name not in TRIAL_COLUMNS]


def knob_columns(trials: pd.DataFrame) -> list[str]:
    """Return the columns that hold knobs: those of every study, then those that these studies searched."""
    usual = [row.name for row in COLUMN_KNOBS]
    asked = dict.fromkeys(name for text in trials["searched"] for name in str(text).split())
    return [*usual, *(name for name in asked if name not in usual and name in trials)]


def _frame(source: LoadedStudy) -> pd.DataFrame:
    further = searched_names(source.records)
    rows = [_row(source.study, record, further) for record in source.records]
    frame = pd.DataFrame(rows, columns=[*TRIAL_COLUMNS, *further])
    for name in further:
        if not pd.api.types.is_numeric_dtype(frame[name]):
            frame[name] = frame[name].fillna("")
    curves = source.curves
    frame["epochs"] = curves.lengths
    for name in ("val/top1", "test/top1", "test/top5"):
        frame[name] = curves.last(name)
        if f"{name}_best" in frame:
            frame[f"{name}_best"] = curves.highest(name)
        if f"{name}_chosen" in frame:
            frame[f"{name}_chosen"] = curves.at_highest(name, "val/top1")
    frame["seconds"] = source.seconds.round(3)  # what the order of a sum decides is left out
    frame["time/batch_ms"] = source.batch_ms.round(6)
    seeds = frame.loc[frame["stage"] == "confirm", "seed"]
    frame["asked"] = seeds.nunique() if source.asked is None else source.asked.seeds
    frame["at_most"] = frame["asked"] if source.asked is None else source.asked.looks[-1]
    return frame


def _row(study: str, record: TrialRecord, further: Sequence[str]) -> dict[str, Any]:
    """Return what is known of a trial before its first epoch, and how it ended; with ``further`` settings."""
    config = record.config
    known = {**record.asked, **settings_of(config)} if further else {}
    return {
        **{name: _text(known[name]) for name in further if name in known},
        "trial_key": record.key,
        "study": study,
        "stage": record.stage,
        "status": record.status,
        "pair": record.pair,
        "teacher": (config["teacher"] or {}).get("name", ""),
        "student": config["student"],
        "method": record.method,
        "role": record.role,
        **{row.name: _cell(row, config) for row in COLUMN_KNOBS},
        "seed": config["seed"],
        "epochs_planned": config["training"]["epochs"],
        "reason": record.reason,
        "data": data_label(config["data"]),
        "watched": config["test"] == "every",
        "started": _milliseconds(record.started),
        "ended": _milliseconds(record.ended),
        "published": record.role in ("paper", "baseline") or is_published(config, further),
        "settings": settings_hash(config),
        "weights": (config["teacher"] or {}).get("weights") or config.get("weights") or "",
        "search": record.search,
        "searched": " ".join(record.asked),
    }


def _cell(row: Knob, config: Mapping[str, Any]) -> Any:
    """Return a knob's value in a table: numbers as they are, all else as text."""
    value = row.read(config)
    if value is ABSENT:
        return None if row.kind in (int, float) else ""
    return _text(value)


def _text(value: Any) -> Any:
    """Return numbers as they are, all else as text."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    return label(tuple(value) if isinstance(value, list) else value)


def _milliseconds(when: float | None) -> float | None:
    """Round to whole milliseconds, which is what MLflow keeps."""
    return None if when is None else int(when * 1000) / 1000
