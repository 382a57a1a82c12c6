"""Types what launches of a study note in its journal, beside what its trials report."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Literal

from study.plan.trial import StageName

Outcome = Literal["done", "trials failed", "interrupted", "stopped", "error"]
"""How a launch ended: all is done, or all but trials that failed; the others can be gone on with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LaunchNote:
    """Says that a launcher has begun to work.

    >>> LaunchNote(host="node1", pid=7, trials={"search": 40}, time=0.0).trials["search"]
    40

    Attributes:
        epochs, trials: expected of each stage, to guess what is left; see ``ExpectedTrials``.
        time: of every note: seconds since 1970.
    """

    type: ClassVar[str] = "launch"
    host: str = ""
    pid: int = 0
    epochs: Mapping[str, int] = field(default_factory=dict)
    trials: Mapping[str, int] = field(default_factory=dict)
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageNote:
    """Says that a stage of ``total`` trials has begun, of which ``left`` are to be run."""

    type: ClassVar[str] = "stage"
    stage: StageName
    total: int = 0
    left: int = 0
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotsNote:
    """Says how many trials run at once from now on, and what each of them gets."""

    type: ClassVar[str] = "slots"
    slots: int = 0
    cpus: float = 0
    gpus: float = 0
    time: float = field(default_factory=time.time)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveNote:
    """Says that the launcher has ended, and how.

    >>> line_of(LeaveNote(outcome="done", time=0.0))
    {'type': 'leave', 'outcome': 'done', 'time': 0.0}
    """

    type: ClassVar[str] = "leave"
    outcome: Outcome = "error"
    time: float = field(default_factory=time.time)


Note = LaunchNote | StageNote | SlotsNote | LeaveNote

_KINDS: Mapping[str, type[Note]] = {kind.type: kind for kind in (LaunchNote, StageNote, SlotsNote, LeaveNote)}


def is_note(line: Mapping[str, Any]) -> bool:
    """Tell whether a line of a journal is about the study, not about a trial."""
    return line["type"] in _KINDS


def note_of(line: Mapping[str, Any]) -> Note:
    """Read a line for which :func:`is_note` is true; what another version added is passed over.

    >>> note_of({"type": "stage", "stage": "search", "total": 12, "left": 4, "time": 0.0}).left
    4
    """
    kind = _KINDS[line["type"]]
    return kind(**{item.name: line[item.name] for item in fields(kind) if item.name in line})


def line_of(note: Note) -> dict[str, Any]:
    """Write a note as a line of a journal."""
    return {"type": note.type, **asdict(note)}


def last_launch(notes: list[Note]) -> list[Note]:
    """Select the notes of the last launch, the :class:`LaunchNote` first; none where there was no launch."""
    starts = [number for number, note in enumerate(notes) if isinstance(note, LaunchNote)]
    return notes[starts[-1] :] if starts else []
