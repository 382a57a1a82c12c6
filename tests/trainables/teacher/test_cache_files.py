from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from trainables.teacher import cache_files as view_places
from trainables.teacher.cache_files import CacheBackend, ViewFile, entry_bytes
from trainables.teacher.cache_memory import ViewMemory
from trainables.teacher.device_share import DeviceShare

SHAPE = (4, 5)
"""20 numbers: 40 bytes, a whole number of words; (1, 5) is padded."""


def entries(slots: np.ndarray, shape: tuple[int, int] = SHAPE) -> Tensor:
    """What is kept at each slot: numbers that tell it from all others."""
    count = shape[0] * shape[1]
    return (torch.from_numpy(slots)[:, None] + torch.arange(count) / 64).half().view(-1, *shape)


def memory(slots: int, room: int, shape: tuple[int, int] = SHAPE) -> ViewMemory:
    """Memory for so many entries."""
    share = DeviceShare(room * shape[0] * shape[1] * 2, free=lambda: 1 << 30)
    return ViewMemory(slots, shape, torch.device("cpu"), share)


def numbers(*slots: int) -> np.ndarray:
    return np.array(slots, dtype=np.int64)


@pytest.mark.parametrize("shape", [SHAPE, (1, 5), (1, 1)])
@pytest.mark.parametrize("kind", ["file", "memory"])
def test_what_was_written_is_read_in_the_order_asked_for(
    tmp_path: Path, kind: str, shape: tuple[int, int]
) -> None:
    file = ViewFile(tmp_path / "a", shape, 50, 50)
    place: CacheBackend = file if kind == "file" else memory(50, 50, shape)
    written = numbers(3, 49, 0)
    place.write(written, entries(written, shape))
    found, values = place.read(numbers(49, 5, 0, 3))
    assert found.tolist() == [True, False, True, True]
    assert torch.equal(values, entries(numbers(49, 0, 3), shape))


def test_file_is_shared_and_stays(tmp_path: Path) -> None:
    first, second = (ViewFile(tmp_path / "a", SHAPE, 50, 50) for _ in range(2))
    first.write(numbers(7), entries(numbers(7)))
    assert second.read(numbers(7))[0].all()
    del first, second
    assert ViewFile(tmp_path / "a", SHAPE, 50, 50).marked().tolist() == [7]


def test_file_grows_and_never_shrinks(tmp_path: Path) -> None:
    ViewFile(tmp_path / "a", SHAPE, 10, 10).write(numbers(9), entries(numbers(9)))
    ViewFile(tmp_path / "a", SHAPE, 100, 100).write(numbers(99), entries(numbers(99)))
    assert ViewFile(tmp_path / "a", SHAPE, 10, 10).read(numbers(9))[0].tolist() == [True]
    assert ViewFile(tmp_path / "a", SHAPE, 100, 100).read(numbers(9, 99))[0].all()


@pytest.mark.parametrize("kind", ["file", "memory"])
def test_room_is_given_to_those_that_come_first_wherever_their_slots_are(tmp_path: Path, kind: str) -> None:
    file = ViewFile(tmp_path / "a", SHAPE, 1000, 4)
    place: CacheBackend = file if kind == "file" else memory(1000, 4)
    for written in (numbers(999, 3), numbers(3, 500, 7), numbers(8, 9)):
        place.write(written, entries(written))
    found, values = place.read(numbers(3, 7, 8, 9, 500, 999))
    assert found.tolist() == [True, True, False, False, True, True]
    assert torch.equal(values, entries(numbers(3, 7, 500, 999)))


def test_a_file_is_as_large_as_what_was_used(tmp_path: Path) -> None:
    file = ViewFile(tmp_path / "a", SHAPE, 100_000, 100_000)
    used = np.random.default_rng(0).permutation(100_000)[:1000]
    file.write(used, entries(used))
    taken = sum((tmp_path / f"a{suffix}").stat().st_blocks * 512 for suffix in (".cells", ".marks"))
    assert taken < 1000 * (entry_bytes(SHAPE) + 4) + 3 * 4096
    assert file.marked().tolist() == sorted(used)


def test_a_process_with_less_room_reads_what_is_within_it(tmp_path: Path) -> None:
    ViewFile(tmp_path / "a", SHAPE, 100, 50).write(numbers(90, 80, 70), entries(numbers(90, 80, 70)))
    small = ViewFile(tmp_path / "a", SHAPE, 100, 2)
    assert small.read(numbers(70, 80, 90))[0].tolist() == [False, True, True]
    small.write(numbers(5, 70), entries(numbers(5, 70)))
    assert ViewFile(tmp_path / "a", SHAPE, 100, 50).marked().tolist() == [70, 80, 90]


def test_disk_that_is_nearly_full_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_places, "RESERVE", 1 << 60)
    file = ViewFile(tmp_path / "a", SHAPE, 10, 10)
    file.write(numbers(1), entries(numbers(1)))
    assert not file.read(numbers(1))[0].any()


@pytest.mark.parametrize("lost", ["entry", "half of the entry", "mark", "place", "row", "count of rows"])
def test_entry_that_is_not_whole_is_not_there_and_is_made_again(tmp_path: Path, lost: str) -> None:
    ViewFile(tmp_path / "a", SHAPE, 10, 10).write(numbers(1, 2), entries(numbers(1, 2)))
    size = entry_bytes(SHAPE)
    cells, marks, rows = (
        bytearray((tmp_path / f"a.{part}").read_bytes()) for part in ("cells", "marks", "rows")
    )
    if lost == "entry":  # the mark reached the disk before a power cut, the entry did not
        cells[:size] = bytes(size)
    elif lost == "half of the entry":
        cells[size // 2 : size] = bytes(size // 2)
    elif lost == "mark":
        marks[:4] = bytes(4)
    elif lost == "place":  # another slot's entry and mark
        cells[:size], marks[:4] = cells[size : 2 * size], marks[4:8]
    elif lost == "row":
        rows[8:12] = bytes(4)
    else:
        rows[:4] = bytes(4)
    for part, content in (("cells", cells), ("marks", marks), ("rows", rows)):
        (tmp_path / f"a.{part}").write_bytes(content)
    file = ViewFile(tmp_path / "a", SHAPE, 10, 10)
    found, values = file.read(numbers(1, 2))
    assert found.tolist() == [lost == "count of rows", True]
    assert torch.equal(values[-1:], entries(numbers(2)))
    file.write(numbers(1, 5), entries(numbers(1, 5)))
    found, values = file.read(numbers(1, 2, 5))
    assert found.all()
    assert torch.equal(values, entries(numbers(1, 2, 5)))


def write_for_ever(path: Path, slots: int) -> None:
    file = ViewFile(path, (16, 100), slots, slots)
    random = np.random.default_rng()
    while True:
        chosen = random.permutation(slots)[: slots // 3]
        file.write(chosen, entries(chosen, (16, 100)))


def test_killed_writers_leave_whole_entries_and_no_row_to_two_slots(tmp_path: Path) -> None:
    slots = 900
    file = ViewFile(tmp_path / "a", (16, 100), slots, slots)
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_for_ever, args=(tmp_path / "a", slots)) for _ in range(2)]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + 60
    while len(file.marked()) < slots // 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    for writer in writers:
        writer.kill()
        writer.join()
    found, values = file.read(np.arange(slots))
    assert found.sum() >= slots // 2
    assert torch.equal(values, entries(np.flatnonzero(found), (16, 100)))
    rows = np.fromfile(tmp_path / "a.rows", dtype=np.int32)
    given = rows[1:][rows[1:] > 0]
    assert len(set(given.tolist())) == len(given)
    assert given.max() <= rows[0]
