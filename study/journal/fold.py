"""Folds the lines of a journal into records of its trials, one line after the other."""

from __future__ import annotations

from study.journal.lines import Line
from study.journal.notes import is_note
from study.journal.record import TrialRecord


def fold(records: dict[str, TrialRecord], line: Line, source: str = "") -> None:
    """Take one line into ``records``; what it notes of the study is passed over.

    Args:
        source: where the line stands, to be named where a record cannot be read further.

    >>> records = {}
    >>> where = {"stage": "search", "pair": "a-b", "method": "KD", "role": "", "arm": "", "config": {}}
    >>> fold(records, {"type": "trial", "key": "9cdc", **where, "time": 0.0})
    >>> fold(records, {"type": "report", "key": "9cdc", "metrics": {"epoch": 1, "lr": 0.1}, "time": 1.0})
    >>> records["9cdc"].final
    {'epoch': 1, 'lr': 0.1}
    """
    if is_note(line):
        return
    key = line["key"]
    if line["type"] == "trial":
        _begin(records, key, line, source)
        return
    record = records.get(key)
    if record is None:  # of two machines whose clocks disagree
        return
    if line["type"] == "remark":
        record.remarks.append(line["text"])
    elif line["type"] == "report":
        if line["metrics"]["epoch"] == len(record.history) + 1:
            record.history.append(line["metrics"])
            record.times.append(line["time"])
    else:
        record.status, record.reason, record.ended = line["status"], line["reason"], line["time"]
        record.end_epochs = line.get("epochs", _whole(record))


def _begin(records: dict[str, TrialRecord], key: str, line: Line, source: str) -> None:
    """Begin a trial, or go on with one that has ended."""
    if key in records:
        record = records[key]
        record.status, record.reason, record.ended, record.end_epochs = "running", "", None, 0
        return
    fields = {name: line[name] for name in ("stage", "pair", "method", "role", "config")}
    records[key] = TrialRecord(
        key=key,
        search=line["arm"],
        started=line["time"],
        point=line.get("point", {}),
        source=source,
        **fields,
    )


def _whole(record: TrialRecord) -> int:
    """Return the epochs that an end without a number of them implies: all of a trial that is done."""
    epochs: int = record.config.get("training", {}).get("epochs", 0) if record.status == "done" else 0
    return epochs
