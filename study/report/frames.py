"""Records of a study as pandas frames; the CSVs are these frames."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from study.journal import Record

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
    "base",
    "scales",
    "alpha",
    "beta",
    "seed",
    "epochs",
    "epochs_planned",
    "val/top1",
    "val/top1_best",
    "test/top1",
    "test/top1_best",
    "seconds",
    "reason",
]
"""Columns of ``trials.csv``, one row a trial; accuracies in percent, seconds of training without waiting."""


def trials_frame(study: str, records: Iterable[Record]) -> pd.DataFrame:
    """One row a trial, in the order in which they began."""
    return pd.DataFrame([_row(study, record) for record in records], columns=TRIAL_COLUMNS)


def metrics_frame(records: Iterable[Record]) -> pd.DataFrame:
    """``trial_key, step, name, value``: every metric of every epoch; ``step`` is the epoch, from 1."""
    rows = [
        (record.key, int(metrics["epoch"]), name, value)
        for record in records
        for metrics in record.history
        for name, value in metrics.items()
        if name != "epoch"
    ]
    return pd.DataFrame(rows, columns=["trial_key", "step", "name", "value"])


def _row(study: str, record: Record) -> dict[str, Any]:
    config = record.config
    logit = config["method"]["logit"] or {}
    row: dict[str, Any] = {
        "trial_key": record.key,
        "study": study,
        "stage": record.stage,
        "status": record.status,
        "pair": record.pair,
        "teacher": (config["teacher"] or {}).get("name", ""),
        "student": config["student"],
        "method": record.method,
        "role": record.role,
        "base": logit.get("base", ""),
        "scales": ",".join(map(str, logit.get("scales", []))),
        "alpha": logit.get("alpha"),
        "beta": logit.get("complementary_weight"),
        "seed": config["seed"],
        "epochs": len(record.history),
        "epochs_planned": config["training"]["epochs"],
        "seconds": sum(metrics.get("time/epoch_s", 0.0) for metrics in record.history),
        "reason": record.reason,
    }
    for name in ("val/top1", "test/top1"):
        row[name] = record.final.get(name)
        row[f"{name}_best"] = record.best(name)
    return row
