"""A long journal is parsed once, and what was parsed is believed as long as the journal goes on from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from study.journal import metrics_reader as reports
from study.journal import parsed_metrics as parsed
from study.journal.journal import Journal, read_journal, read_records
from tests.study.journal.test_journal import epochs, planned


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    monkeypatch.setattr(reports, "WORTH", 1)
    journal = Journal(tmp_path / "journal.jsonl")
    for seed in range(3):
        journal.begin(planned(seed))
    for metrics in epochs(4):
        for seed in (2, 0):
            journal.report(planned(seed).key, metrics)
    return journal


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many lines of reports each reading parsed."""
    parse, counts = reports._table, list[int]()

    def counted(portion: bytes, names: object) -> object:
        counts.append(portion.count(b'"type":"report"'))
        return parse(portion, names)

    monkeypatch.setattr(reports, "_table", counted)
    return counts


def histories(path: Path) -> list[list[dict[str, float]]]:
    return [list(record.history) for record in read_records(path).values()]


def test_the_second_reading_parses_what_was_added(journal: Journal, lines: list[int]) -> None:
    assert histories(journal.path) == [epochs(4), [], epochs(4)]
    assert parsed.file_of(journal.path).exists()
    assert histories(journal.path) == [epochs(4), [], epochs(4)]
    journal.report(planned(1).key, epochs(1)[0])
    journal.report(planned(2).key, {"epoch": 5, "val/top1": 50.0, "lr": 0.1})
    times = read_journal(journal.path).records[planned(2).key].times
    assert times == journal.records[planned(2).key].times
    assert histories(journal.path)[1:] == [epochs(1), [*epochs(4), {"epoch": 5, "val/top1": 50.0, "lr": 0.1}]]
    assert lines[:2] == [8, 2]


def test_some_metrics_come_from_what_was_parsed_too(journal: Journal, lines: list[int]) -> None:
    keys = [planned(0).key]
    before = reports.read_curves(journal.path, keys, ["val/top1", "lr"])
    assert not parsed.file_of(journal.path).exists(), "only what holds all of a journal is kept"
    read_records(journal.path)
    after = reports.read_curves(journal.path, keys, ["val/top1", "lr"])
    assert before.lengths.tolist() == after.lengths.tolist() == [4]
    assert before.column("val/top1").tolist() == after.column("val/top1").tolist()
    assert lines == [8, 8]


def cut(path: Path, _: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def rewritten(path: Path, _: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"10.0", b"11.0"))


def damaged(_: Path, kept: Path) -> None:
    kept.write_bytes(kept.read_bytes()[:200])


@pytest.mark.parametrize("change", [cut, rewritten, damaged])
def test_what_does_not_belong_to_the_journal_is_not_believed(
    journal: Journal, change: Callable[[Path, Path], None]
) -> None:
    read_records(journal.path)
    kept = parsed.file_of(journal.path)
    change(journal.path, kept)
    found = histories(journal.path)
    kept.unlink()
    assert histories(journal.path) == found
