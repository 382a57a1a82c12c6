"""Keeps what trials reported as an append-only file of JSON lines: the first place a report goes, the truth.

    {"type": "trial",  "key", "stage", "pair", "method", "role", "arm", "point", "config", "time"}
    {"type": "report", "key", "metrics", "time"}
    {"type": "remark", "key", "text", "time"}          for the user: a damaged checkpoint, a lost process
    {"type": "end",    "key", "status": "done" | "stopped" | "failed", "reason", "epochs", "time"}

Beside the trials, what the launches of the study did:

    {"type": "launch", "host", "pid", "epochs", "trials", "time"}  both by stage, to guess what is left
    {"type": "stage",  "stage", "total", "left", "time"}
    {"type": "slots",  "slots", "cpus", "gpus", "time"}            trials at once, what each gets
    {"type": "leave",  "outcome": "done" | "trials failed" | "interrupted" | "stopped" | "error", "time"}

A line is on disk before anything else hears of it. Reports may come again (a trial that goes on after a
crash replays its epochs): each epoch of a key is kept once, the first time. A last line that a crash cut off
is dropped.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from study.journal.curves import LearningCurves
from study.journal.damage import missing_at_end, missing_start, told_by_line
from study.journal.fold import fold
from study.journal.line_file import LineFile
from study.journal.lines import REPORT, Line, parse
from study.journal.metrics_reader import ARRIVED, read_curves
from study.journal.notes import LeaveNote, Note, is_note, line_of, note_of
from study.journal.record import MetricHistory, TrialRecord, TrialStatus
from study.plan.trial import PlannedTrial

StudyState = Literal["running", "interrupted", "finished"]
"""Whether a launcher runs a study, or the last one went to the end."""


class Journal:
    """Holds the journal of one study, to be appended to by one launcher; its first line makes the file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     journal = Journal(Path(folder, "journal.jsonl"))
    ...     journal.note(LeaveNote(outcome="done"))
    ...     journal.close()
    ...     read_outline(journal.path).state(alive=False)
    'finished'

    Attributes:
        records: the trials so far, by key.
        notes: what launches did so far, in order.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        known = read_journal(path)
        self.records: dict[str, TrialRecord] = known.records
        self.notes: list[Note] = known.notes
        self._file = LineFile(path)

    def begin(self, planned: PlannedTrial) -> Line | None:
        """Note that a trial has begun, or goes on; None when it is noted as running already."""
        known = self.records.get(planned.key)
        if known is not None and known.status == "running":
            return None
        where = {
            "stage": planned.stage,
            "pair": planned.pair,
            "method": planned.method,
            "role": planned.role,
            "arm": planned.search,
        }
        what = {"point": dict(planned.point), "config": planned.config.to_dict()}
        return self._append({"type": "trial", "key": planned.key, **where, **what})

    def report(self, key: str, metrics: Mapping[str, float]) -> Line | None:
        """Keep the metrics of an epoch; None when that epoch is already kept."""
        if metrics["epoch"] <= len(self.records[key].history):
            return None
        return self._append({"type": "report", "key": key, "metrics": dict(metrics)})

    def remark(self, key: str, text: str) -> Line:
        """Keep a line about a trial for the user."""
        return self._append({"type": "remark", "key": key, "text": text})

    def end(self, key: str, status: TrialStatus, reason: str = "") -> Line:
        """Note how a trial ended, and after how many epochs."""
        epochs = len(self.records[key].history)
        return self._append({"type": "end", "key": key, "status": status, "reason": reason, "epochs": epochs})

    def note(self, note: Note) -> None:
        """Keep what happened to the study itself."""
        self._append(line_of(note))
        self.notes.append(note)

    def close(self) -> None:
        """Close the file; nothing is buffered."""
        self._file.close()

    def _append(self, line: Line) -> Line:
        line.setdefault("time", time.time())
        self._file.append(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        fold(self.records, line)
        return line


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the whole lines of a journal; none where there is no such file."""
    if not path.exists():
        return
    with path.open("rb") as file, told_by_line(path):
        for raw in file:
            if raw.endswith(b"\n"):
                yield parse(raw)


@dataclass(frozen=True, slots=True)
class JournalOutline:
    """Holds a journal without its reports: trials by key, with no histories, and notes, in order.

    Attributes:
        last: when its last line was written, seconds since 1970; None where there is none.

    >>> JournalOutline({}, [LeaveNote(outcome="interrupted")]).state(alive=False)
    'interrupted'
    """

    records: dict[str, TrialRecord]
    notes: list[Note]
    last: float | None = None

    def state(self, alive: bool) -> StudyState:
        """Tell the state of the study: ``running`` as long as a launcher is ``alive``.

        Else it is ``finished`` where the last one went to the end, and ``interrupted`` where it did not.
        """
        if alive:
            return "running"
        if not self.notes:  # written before journals said so
            unfinished = any(record.status == "running" for record in self.records.values())
            return "interrupted" if unfinished or not self.records else "finished"
        last = self.notes[-1]
        went_to_the_end = isinstance(last, LeaveNote) and last.outcome in ("done", "trials failed")
        return "finished" if went_to_the_end else "interrupted"


def read_outline(path: Path) -> JournalOutline:
    """Read the outline of a journal; reports, which are nearly all of it, are passed over unread.

    Raises:
        JournalDamaged: a line is none of a journal, or a trial's first is missing.
    """
    records: dict[str, TrialRecord] = {}
    notes: list[Note] = []
    named: set[str] = set()
    latest = b""
    if not path.exists():
        return JournalOutline(records, notes)
    with path.open("rb") as file, told_by_line(path):
        for number, raw in enumerate(file, start=1):
            if not raw.endswith(b"\n"):
                continue
            latest = raw
            if raw.startswith(REPORT):
                continue
            line = parse(raw)
            if is_note(line):
                notes.append(note_of(line))
            else:
                fold(records, line, f"{path}, line {number}")
                named.add(line["key"])
        last = parse(latest)["time"] if latest else None
    if len(named) > len(records):
        raise missing_start(path, min(named - records.keys()))
    return JournalOutline(records, notes, last)


def read_measured(path: Path, names: Sequence[str] | None = None) -> tuple[JournalOutline, LearningCurves]:
    """Read the outline of a journal and the metrics ``names`` of its trials, or all; see ``read_curves``.

    Raises:
        JournalDamaged: a line is damaged, or an epoch is missing of a trial, so that another would count in
            the place of its last.
    """
    outline = read_outline(path)
    curves = read_curves(path, list(outline.records), names)
    for record, found in zip(outline.records.values(), curves.lengths.tolist(), strict=True):
        if found < record.end_epochs:
            raise missing_at_end(path, record.key, record.end_epochs, found)
    return outline, curves


def read_journal(path: Path) -> JournalOutline:
    """Read the whole of a journal: its outline, and its trials with their histories."""
    whole, curves = read_measured(path)
    names = tuple(name for name in curves.names if name != ARRIVED)
    values, times = curves.columns(names), curves.column(ARRIVED)
    for record, end, length in zip(whole.records.values(), curves.ends, curves.lengths, strict=True):
        record.history = MetricHistory(names, values[end - length : end])
        record.times = times[end - length : end].tolist()
    return whole


def read_records(path: Path) -> dict[str, TrialRecord]:
    """Read the trials of a journal by key, in the order in which they began."""
    return read_journal(path).records
