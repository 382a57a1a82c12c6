"""A study's journal as a report needs it: 10,000 trials of 240 epochs, a gigabyte, in seconds.

Lines that begin or end a trial go through ``study.journal.fold``, and mean here what they mean there.
Of the 240 times as many reports only the wanted numbers are taken, without parsing the rest.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from study.errors import UserError
from study.folder import StudyFolder, open_folders
from study.journal import Record, fold
from study.report.curves import Curves
from study.report.frames import WANTED, Source
from trainables.store import read_json
from trainables.strict import suggestion

REPORT = re.compile(rb'\{\s*"type":\s*"report"')
NAN = float("nan")


def read_folder(results: Path, study: str) -> Source:
    """The study of that name in a results folder.

    Raises:
        UserError: there is none.
    """
    folder = StudyFolder(results.absolute(), study)
    if not folder.journal.exists():
        known = [item.name for item in open_folders(results)]
        hint = suggestion(study, known) if known else "it holds no study"
        raise UserError(f"no study '{study}' in {results}; {hint}")
    spec = read_json(folder.path / "study.json") or {}
    metric = spec.get("search", {}).get("maximize", WANTED[0])
    records, curves = read_journal(folder.journal, tuple(dict.fromkeys([*WANTED, metric])))
    return Source(study, records, curves, spec.get("confirm", {}).get("seeds"), metric)


def read_journal(path: Path, names: Sequence[str]) -> tuple[list[Record], Curves]:
    """Trials in the order in which they began, without histories, and their metrics ``names``."""
    wanted = b"|".join(re.escape(name.encode()) for name in names)
    pairs = re.compile(rb'"(key|epoch|' + wanted + rb')":\s*"?([^,"}\s]+)')
    records: dict[str, Record] = {}
    histories: dict[bytes, _History] = {}
    columns = [name.encode() for name in names]
    with path.open("rb") as file:
        for raw in file:
            if not raw.endswith(b"\n"):
                break  # cut off by a crash
            if REPORT.match(raw) is None:
                fold(records, json.loads(raw))
                continue
            found: Mapping[bytes, Any] = dict(pairs.findall(raw))
            history = histories.get(found[b"key"])
            if history is None:
                history = histories[found[b"key"]] = _History()
            if float(found[b"epoch"]) == history.epochs + 1:
                history.epochs += 1
                history.values.extend([_number(found.get(name)) for name in columns])
    ordered = [histories.get(key.encode(), _History()) for key in records]
    values = [np.frombuffer(history.values, dtype=np.float64) for history in ordered if history.values]
    stacked = np.concatenate(values) if values else np.empty(0)
    lengths = np.array([history.epochs for history in ordered], dtype=np.int64)
    return list(records.values()), Curves(tuple(names), lengths, stacked.reshape(-1, len(names)))


class _History:
    """The numbers of one trial so far, epoch after epoch."""

    __slots__ = ("epochs", "values")

    def __init__(self) -> None:
        self.epochs = 0
        self.values = array("d")


def _number(text: bytes | None) -> float:
    return NAN if text is None or text == b"null" else float(text)
