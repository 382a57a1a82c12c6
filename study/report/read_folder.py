"""A study's journal as a report needs it: 10,000 trials of 240 epochs, a gigabyte, in seconds.

Lines that begin or end a trial go through ``study.journal.fold``, and mean here what they mean there.
Of the 240 times as many reports only the wanted numbers are read.
"""

from __future__ import annotations

import io
import json
import re
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from study.folder import find_study
from study.journal import Record, fold
from study.report.curves import Curves
from study.report.frames import WANTED, Source
from trainables.files import read_json

NAN = float("nan")
ARRIVED = "journal/time"
"""A name for :func:`read_journal`: when the line was written, seconds since 1970."""
MOST_LAYOUTS = 20


def read_folder(results: Path, study: str) -> Source:
    """The study of that name in a results folder.

    Raises:
        UserError: there is none.
    """
    folder = find_study(results, study)
    spec = read_json(folder.path / "study.json") or {}
    metric = spec.get("search", {}).get("maximize", WANTED[0])
    records, curves = read_journal(folder.journal, tuple(dict.fromkeys([*WANTED, metric])))
    return Source(study, records, curves, spec.get("confirm", {}).get("seeds"), metric)


def read_journal(path: Path, names: Sequence[str]) -> tuple[list[Record], Curves]:
    """Trials in the order in which they began, without histories, and their metrics ``names``."""
    records: dict[str, Record] = {}
    histories: dict[bytes, _History] = {}
    take = _Reports(names).take
    with path.open("rb") if path.exists() else io.BytesIO() as file:
        for raw in file:
            if not raw.endswith(b"\n"):
                break  # cut off by a crash
            report = take(raw)
            if report is None:
                fold(records, json.loads(raw))
                continue
            key, epoch, values = report
            history = histories.get(key)
            if history is None:
                history = histories[key] = _History()
            if epoch == history.epochs + 1:
                history.epochs += 1
                history.values.extend(values)
    ordered = [histories.get(key.encode(), _History()) for key in records]
    stored = [np.frombuffer(history.values, dtype=np.float64) for history in ordered if history.values]
    stacked = np.concatenate(stored) if stored else np.empty(0)
    lengths = np.array([history.epochs for history in ordered], dtype=np.int64)
    return list(records.values()), Curves(tuple(names), lengths, stacked.reshape(-1, len(names)))


class _History:
    """The numbers of one trial so far, epoch after epoch."""

    __slots__ = ("epochs", "values")

    def __init__(self) -> None:
        self.epochs = 0
        self.values = array("d")


class _Reports:
    """Takes key, epoch and wanted numbers out of ``report`` lines.

    The first line of each layout (these names in this order) is parsed, and its names become a pattern; lines
    that fit it give their numbers without being parsed.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names
        self.arrived = names.index(ARRIVED) if ARRIVED in names else None
        self.layouts: list[tuple[re.Pattern[bytes], list[int]]] = []

    def take(self, raw: bytes) -> tuple[bytes, float, list[float]] | None:
        """(key, epoch, one number a name; NaN where it was not measured); None of a line of another kind."""
        for number, (pattern, columns) in enumerate(self.layouts):
            if (match := pattern.fullmatch(raw)) is not None:
                if number:  # the next line is likely to be alike
                    self.layouts.insert(0, self.layouts.pop(number))
                key, epoch, *texts, when = match.groups()
                values = [NAN] * len(self.names)
                for column, text in zip(columns, texts, strict=True):
                    values[column] = float(text)
                if self.arrived is not None:
                    values[self.arrived] = float(when)
                return key, float(epoch), values
        line = json.loads(raw)
        if line["type"] != "report":
            return None
        metrics = line["metrics"]
        if len(self.layouts) < MOST_LAYOUTS:
            self._learn(metrics)
        found = [line["time"] if name == ARRIVED else metrics.get(name) for name in self.names]
        values = [NAN if value is None else float(value) for value in found]
        return line["key"].encode(), metrics["epoch"], values

    def _learn(self, metrics: Mapping[str, Any]) -> None:
        """A pattern for lines with these metrics, as ``study.journal`` writes them."""
        parts = []
        for name in metrics:
            number = rb"([-+]?[.\d][-+.eE\d]*+)" if name == "epoch" or name in self.names else rb"[^,}]++"
            parts.append(b'"' + re.escape(name.encode()) + b'":' + number)
        head = rb'\{"type":"report","key":"(\w+)","metrics":\{'
        pattern = re.compile(head + b",".join(parts) + rb'\},"time":([^,}]++)\}\n')
        columns = [self.names.index(name) for name in metrics if name in self.names]
        if next(iter(metrics)) == "epoch":
            self.layouts.append((pattern, columns))
