"""The journal: nothing reported is lost or doubled, whatever cut the file off."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.journal.journal import Journal, read_records
from study.plan.trial import PlannedTrial
from trainables.config import Data, TrialConfig


def planned(seed: int = 0) -> PlannedTrial:
    return PlannedTrial(
        TrialConfig(data=Data(name="packed"), student="resnet8", seed=seed), "search", "a-b", "KD"
    )


def epochs(count: int) -> list[dict[str, float]]:
    return [{"epoch": epoch, "val/top1": 10.0 * epoch} for epoch in range(1, count + 1)]


def test_a_trial_is_read_back_as_it_was_reported(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.begin(planned())
    for metrics in epochs(3):
        journal.report(planned().key, metrics)
    journal.end(planned().key, "done")
    (record,) = read_records(journal.path).values()
    assert record.history == epochs(3)
    assert (record.status, record.key, record.config) == ("done", planned().key, planned().config.to_dict())
    assert record.final["val/top1"] == record.best("val/top1") == 30.0
    assert record.times == sorted(record.times)


def test_a_replayed_epoch_is_kept_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.begin(planned())
    for metrics in epochs(2):
        assert journal.report(planned().key, metrics) is not None
    for metrics in epochs(2):
        assert journal.report(planned().key, metrics) is None
    journal.report(planned().key, epochs(3)[-1])
    assert [m["epoch"] for m in read_records(journal.path)[planned().key].history] == [1, 2, 3]


@pytest.mark.parametrize("cut", [1, 7, 20, 60])
def test_a_torn_last_line_is_dropped_and_the_journal_goes_on(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "journal.jsonl"
    journal = Journal(path)
    journal.begin(planned())
    for metrics in epochs(3):
        journal.report(planned().key, metrics)
    journal.close()
    path.write_bytes(path.read_bytes()[:-cut])
    again = Journal(path)
    assert [m["epoch"] for m in again.records[planned().key].history] == [1, 2]
    again.report(planned().key, epochs(3)[-1])
    assert read_records(path)[planned().key].history == epochs(3)


def test_a_trial_that_failed_may_go_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")
    journal.begin(planned())
    journal.report(planned().key, epochs(1)[0])
    journal.end(planned().key, "failed", "out of memory")
    assert read_records(journal.path)[planned().key].reason == "out of memory"
    journal.begin(planned())
    record = read_records(journal.path)[planned().key]
    assert (record.status, record.reason, len(record.history)) == ("running", "", 1)


def test_no_journal_is_no_records(tmp_path: Path) -> None:
    assert read_records(tmp_path / "journal.jsonl") == {}
