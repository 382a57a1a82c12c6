"""The journal's copy in a store: fetched elsewhere, merged, put together; on a folder and on a real S3."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from study.journal import replica as module
from study.journal.damage import JournalDamaged
from study.journal.replica import JournalReplica
from tests.object_server import BUCKET
from trainables.storage.blobs import BlobStorage
from trainables.storage.opening import open_storage


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStorage:
    if request.param == "folder":
        return open_storage(tmp_path / "store")
    request.getfixturevalue("s3")
    return open_storage(f"s3://{BUCKET}/{uuid.uuid4().hex}")


class Machine:
    """A machine with a results folder of its own."""

    def __init__(self, storage: BlobStorage, folder: Path) -> None:
        self.storage, self.file = storage, folder / "mine" / "journal.jsonl"
        self.file.parent.mkdir(parents=True, exist_ok=True)

    def launch(self) -> JournalReplica:
        mirror = JournalReplica(self.storage, "mine", self.file)
        self.new = mirror.fetch()
        return mirror

    def write(self, *times: float) -> None:
        with self.file.open("ab") as file:
            for when in times:
                file.write(json.dumps({"type": "leave", "time": when}).encode() + b"\n")

    @property
    def times(self) -> list[float]:
        return [json.loads(line)["time"] for line in self.file.read_text().splitlines()]


@pytest.fixture
def machines(storage: BlobStorage, tmp_path: Path) -> tuple[Machine, Machine]:
    return Machine(storage, tmp_path / "a"), Machine(storage, tmp_path / "b")


def test_another_machine_goes_on_and_the_first_one_after_it(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    mirror = a.launch()
    a.write(1, 2)
    mirror.send()
    a.write(3)
    mirror.send()
    mirror.send()
    mirror = b.launch()
    assert (b.new, b.times) == (3, [1, 2, 3])
    b.write(4)
    mirror.send()
    a.launch()
    assert (a.new, a.times) == (1, [1, 2, 3, 4])
    a.launch()
    assert (a.new, a.times) == (0, [1, 2, 3, 4])


def test_what_two_machines_noted_apart_is_brought_together(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    mirror = a.launch()
    a.write(1, 2)
    mirror.send()
    a.write(3, 5)  # and is lost before it is sent
    mirror = b.launch()
    b.write(4, 6)
    mirror.send()
    a.launch()
    assert a.times == [1, 2, 3, 4, 5, 6]
    b.launch()
    assert b.times == [1, 2, 3, 4, 5, 6]


def test_a_journal_that_is_gone_comes_back(machines: tuple[Machine, Machine]) -> None:
    a, _ = machines
    mirror = a.launch()
    a.write(1, 2)
    mirror.send()
    a.file.unlink()
    a.launch()
    assert a.times == [1, 2]


def test_a_line_cut_off_by_a_crash_is_not_sent(machines: tuple[Machine, Machine]) -> None:
    a, b = machines
    mirror = a.launch()
    a.write(1)
    with a.file.open("ab") as file:
        file.write(b'{"type": "le')
    mirror.send()
    b.launch()
    assert b.times == [1]


@pytest.mark.parametrize("fresh", [True, False], ids=["with new segments", "with unsent lines"])
def test_a_damaged_line_here_is_named_and_goes_nowhere(
    machines: tuple[Machine, Machine], fresh: bool
) -> None:
    a, b = machines
    mirror = a.launch()
    a.write(1, 2)
    mirror.send()
    if fresh:
        b.launch()
        b.write(3)
        b.launch()
    else:
        a.write(4)
    before = a.storage.names("studies/mine/journal")
    a.file.write_bytes(a.file.read_bytes().replace(b'"time": 1}', b'"time": 1!'))
    spoilt = a.file.read_bytes()
    with pytest.raises(
        JournalDamaged, match=r"mine/journal\.jsonl, line 1: damaged \(it is no line of a journal"
    ):
        a.launch()
    assert a.file.read_bytes() == spoilt
    assert a.storage.names("studies/mine/journal") == before


def test_a_damaged_line_in_the_store_is_named_and_does_not_come_here(
    machines: tuple[Machine, Machine],
) -> None:
    a, b = machines
    mirror = a.launch()
    a.write(1, 2)
    mirror.send()
    (name,) = a.storage.names("studies/mine/journal")
    a.storage.write(f"studies/mine/journal/{name}", a.file.read_bytes() + b'{"type":"leave"}\n')
    told = (
        rf"studies/mine/journal/{name}, line 3: damaged \(time is missing\); put that object back from a copy"
    )
    with pytest.raises(JournalDamaged, match=told):
        b.launch()
    assert not b.file.exists()


def test_a_line_that_was_taken_out_comes_back(machines: tuple[Machine, Machine]) -> None:
    a, _ = machines
    mirror = a.launch()
    a.write(1, 2, 3)
    mirror.send()
    first, _, last = a.file.read_bytes().splitlines(keepends=True)
    a.file.write_bytes(first + last)
    a.launch()
    assert (a.new, a.times) == (1, [1, 2, 3])


def test_many_segments_are_put_together(
    machines: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_SEGMENTS", 5)
    a, b = machines
    for launch in range(3):
        mirror = a.launch()
        for when in range(12):
            a.write(100 * launch + when)
            mirror.send()
    assert len(a.storage.names("studies/mine/journal")) < 12
    b.launch()
    assert b.times == a.times
    assert len(a.times) == 36
    assert len(a.storage.names("studies/mine/journal")) <= 5


def test_what_is_written_while_a_study_runs_follows(
    machines: tuple[Machine, Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.05)
    a, b = machines
    said: list[str] = []
    with a.launch().following(said.append):
        a.write(1)
        while len(b.storage.names("studies/mine/journal")) < 1:
            pass
        a.write(2)
    b.launch()
    assert b.times == [1, 2]
    assert said == []
