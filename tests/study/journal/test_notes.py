"""What launches note keeps its lines, whatever version wrote them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study.journal.journal import Journal, read_outline
from study.journal.notes import LaunchNote, LeaveNote, Note, SlotsNote, StageNote, last_launch, note_of

NOTES: list[Note] = [
    LaunchNote(host="here", pid=7, epochs={"search": 4}, trials={"search": 12}, time=1.0),
    StageNote(stage="search", total=12, left=5, time=2.0),
    SlotsNote(slots=2, cpus=1, gpus=0.5, time=3.0),
    LeaveNote(outcome="interrupted", time=4.0),
]
EXPECTED = {"epochs": {"search": 4}, "trials": {"search": 12}}
LINES: list[dict[str, object]] = [
    {
        "type": "launch",
        "host": "here",
        "pid": 7,
        "epochs": {"search": 4},
        "trials": {"search": 12},
        "time": 1.0,
    },
    {"type": "stage", "stage": "search", "total": 12, "left": 5, "time": 2.0},
    {"type": "slots", "slots": 2, "cpus": 1, "gpus": 0.5, "time": 3.0},
    {"type": "leave", "outcome": "interrupted", "time": 4.0},
]


def test_notes_are_the_lines_that_journals_have_always_had(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    for note in NOTES:
        journal.note(note)
    journal.close()
    assert [json.loads(line) for line in path.read_text().splitlines()] == LINES
    assert read_outline(path).notes == journal.notes == NOTES


@pytest.mark.parametrize("line", LINES, ids=lambda line: line["type"])
def test_what_another_version_left_out_or_added_is_no_fault(line: dict[str, object]) -> None:
    assert note_of({**line, "since_later": 1}) in NOTES
    assert type(note_of({name: line[name] for name in ("type", "time", "stage") if name in line})) in map(
        type, NOTES
    )


def test_the_last_launch_begins_with_its_own_note() -> None:
    again = LaunchNote(time=5.0)
    assert last_launch(NOTES) == NOTES
    assert last_launch([*NOTES, again]) == [again]
    assert last_launch([LeaveNote()]) == []
