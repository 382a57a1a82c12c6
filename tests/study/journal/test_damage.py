"""A line that nobody wrote is named by its number, whoever reads the journal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.journal.damage import JournalDamaged
from study.journal.journal import Journal, read_lines, read_outline, read_records
from study.workspace.folder import StudyFolder
from tests.study.commands.conftest import Command
from tests.study.commands.conftest import command as command
from tests.study.made import search, write_folder

PAIR = ("resnet32x4", "resnet8x4")
WHOLE: dict[str, Callable[[bytes], bytes]] = {
    "no JSON": lambda line: b"not json at all\n",
    "cut off in the middle of a file": lambda line: line[: len(line) // 2] + b"\n",
    "zeros, as after a power cut": lambda line: b"\0" * 50 + b"\n",
    "another file's": lambda line: b'{"pair": 3}\n',
    "no object": lambda line: b"3\n",
}


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    write_folder(tmp_path, "other", search(PAIR, 3))
    write_folder(tmp_path, "made", search(PAIR, 3))
    return StudyFolder(tmp_path, "made")


def damage(study: StudyFolder, begins: bytes, how: Callable[[bytes], bytes]) -> int:
    """Spoil the last line that begins so; return its number."""
    lines = study.journal.read_bytes().splitlines(keepends=True)
    at = max(number for number, line in enumerate(lines) if line.startswith(begins))
    lines[at] = how(lines[at])
    study.journal.write_bytes(b"".join(lines))
    return at + 1


@pytest.mark.parametrize("how", WHOLE)
@pytest.mark.parametrize("begins", [b'{"type":"report"', b'{"type":"trial"'], ids=["report", "trial"])
def test_the_line_is_named(study: StudyFolder, how: str, begins: bytes) -> None:
    number = damage(study, begins, WHOLE[how])
    readers: list[Callable[[Path], Any]] = [read_records, Journal]
    for read in readers:
        with pytest.raises(JournalDamaged, match=rf"journal.jsonl, line {number}: damaged"):
            read(study.journal)


def test_commands_say_it_and_show_the_other_studies(study: StudyFolder, command: Command) -> None:
    number = damage(study, b'{"type":"trial"', WHOLE["no JSON"])
    code, out, complaint = command("status", "made", "--results", study.results)
    assert (code, out, complaint.count("\n")) == (2, "", 1)
    assert f"line {number}: damaged" in complaint
    code, out, complaint = command("list", "--results", study.results)
    assert (code, complaint) == (0, "")
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [["made", "damaged"], ["other", "finished"]]


def test_last_activity_is_what_the_journal_says(study: StudyFolder) -> None:
    *_, last = read_lines(study.journal)
    assert read_outline(study.journal).last == last["time"]
    assert read_outline(study.path / "none").last is None
