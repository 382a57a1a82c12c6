"""Whatever is changed in a journal at random: it is told by its line, or no trial that ended is shorter."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from study.journal.damage import JournalDamaged
from study.journal.journal import read_records
from study.monitoring.overview import StudyOverview
from study.results.folder_reader import read_folder
from study.results.frames import gather
from study.workspace.folder import StudyFolder
from tests.study.journal.test_damage import study as study
from tests.study.journal.test_damage import written

Lines = list[bytes]


def byte(lines: Lines, at: int, draw: random.Random) -> None:
    line = bytearray(lines[at])
    line[draw.randrange(len(line))] = draw.randrange(256)
    lines[at] = bytes(line)


def letter(lines: Lines, at: int, draw: random.Random) -> None:
    line = bytearray(lines[at])
    places = [place for place, code in enumerate(line) if chr(code).isalnum()]
    line[draw.choice(places)] = ord(draw.choice("0123456789abcxyz"))
    lines[at] = bytes(line)


def cut(lines: Lines, at: int, draw: random.Random) -> None:
    lines[at] = lines[at][: draw.randrange(len(lines[at]))]


def taken_out(lines: Lines, at: int, draw: random.Random) -> None:
    del lines[at]


def moved(lines: Lines, at: int, draw: random.Random) -> None:
    lines.insert(draw.randrange(len(lines)), lines.pop(at))


def field_left_out(lines: Lines, at: int, draw: random.Random) -> None:
    line = json.loads(lines[at])
    place = somewhere(line, draw)
    place.pop(draw.choice(list(place)))
    lines[at] = written(line)


def another_value(lines: Lines, at: int, draw: random.Random) -> None:
    line = json.loads(lines[at])
    place = somewhere(line, draw)
    place[draw.choice(list(place))] = draw.choice([None, 5, "x", [], {}, True, float("inf"), -1])
    lines[at] = written(line)


def somewhere(line: dict[str, Any], draw: random.Random) -> dict[str, Any]:
    """One of the objects in a line."""
    inner = [value for value in line.values() if isinstance(value, dict) and value]
    return somewhere(draw.choice(inner), draw) if inner and draw.random() < 0.6 else line


@pytest.mark.filterwarnings("ignore:overflow encountered:RuntimeWarning")
@pytest.mark.parametrize(
    "change", [byte, letter, cut, taken_out, moved, field_left_out, another_value], ids=lambda f: f.__name__
)
def test_it_is_told_or_nothing_counts_that_is_not_whole(
    study: StudyFolder, change: Callable[[Lines, int, random.Random], None]
) -> None:
    lines = study.journal.read_bytes().splitlines(keepends=True)
    whole, draw, told = dict(read(study)), random.Random(7), list[str]()
    for _ in range(40):
        changed = lines.copy()
        change(changed, draw.randrange(len(lines) - 1), draw)
        study.journal.write_bytes(b"".join(changed))
        try:
            found = dict(read(study))
        except JournalDamaged as error:
            told.append(str(error))
        else:
            ended = {key: epochs for key, (status, epochs) in found.items() if status != "running"}
            assert all(epochs == whole[key][1] for key, epochs in ended.items() if key in whole)
    assert all("journal.jsonl, line " in line for line in told)
    assert len(told) >= 10 or change is moved


def read(study: StudyFolder) -> Iterator[tuple[str, tuple[str, int]]]:
    """Read a study as ``status``, ``compare`` and a launch do; yield status and epochs of each trial."""
    assert StudyOverview.read(study).trials is not None
    gather([read_folder(study.results, study.name)])
    for key, record in read_records(study.journal).items():
        assert record.trial.training.epochs > 0
        yield key, (record.status, len(record.history))
