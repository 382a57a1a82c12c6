from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from trainables.teacher import cache_files as view_places
from trainables.teacher.cache_files import CacheBackend, ViewFile, ViewMemory, entry_bytes

SHAPE = (4, 5)
"""20 numbers: 40 bytes, a whole number of words; (1, 5) is padded."""


def entries(slots: np.ndarray, shape: tuple[int, int] = SHAPE) -> Tensor:
    """What is kept at each slot: numbers that tell it from all others."""
    count = shape[0] * shape[1]
    return (torch.from_numpy(slots)[:, None] + torch.arange(count) / 64).half().view(-1, *shape)


def numbers(*slots: int) -> np.ndarray:
    return np.array(slots, dtype=np.int64)


@pytest.mark.parametrize("shape", [SHAPE, (1, 5), (1, 1)])
@pytest.mark.parametrize("kind", ["file", "memory"])
def test_what_was_written_is_read_in_the_order_asked_for(
    tmp_path: Path, kind: str, shape: tuple[int, int]
) -> None:
    file = ViewFile(tmp_path / "a", shape, 50)
    place: CacheBackend = file if kind == "file" else ViewMemory(50, shape, torch.device("cpu"))
    written = numbers(3, 49, 0)
    place.write(written, entries(written, shape))
    found, values = place.read(numbers(49, 5, 0, 3))
    assert found.tolist() == [True, False, True, True]
    assert torch.equal(values, entries(numbers(49, 0, 3), shape))


def test_file_is_shared_and_stays(tmp_path: Path) -> None:
    first, second = (ViewFile(tmp_path / "a", SHAPE, 50) for _ in range(2))
    first.write(numbers(7), entries(numbers(7)))
    assert second.read(numbers(7))[0].all()
    del first, second
    assert ViewFile(tmp_path / "a", SHAPE, 50).marked().tolist() == [7]


def test_file_grows_and_never_shrinks(tmp_path: Path) -> None:
    ViewFile(tmp_path / "a", SHAPE, 10).write(numbers(9), entries(numbers(9)))
    ViewFile(tmp_path / "a", SHAPE, 100).write(numbers(99), entries(numbers(99)))
    assert ViewFile(tmp_path / "a", SHAPE, 10).read(numbers(9, 99))[0].tolist() == [True, False]
    assert ViewFile(tmp_path / "a", SHAPE, 100).read(numbers(9, 99))[0].all()


def test_beyond_its_room_nothing_is_kept(tmp_path: Path) -> None:
    file = ViewFile(tmp_path / "a", SHAPE, 10)
    file.write(numbers(9, 10, 11), entries(numbers(9, 10, 11)))
    assert file.read(numbers(11, 10, 9))[0].tolist() == [False, False, True]


def test_unfilled_entries_take_no_disk(tmp_path: Path) -> None:
    file = ViewFile(tmp_path / "a", SHAPE, 1_000_000)
    file.write(numbers(999_999), entries(numbers(999_999)))
    assert (tmp_path / "a.cells").stat().st_size == 1_000_000 * entry_bytes(SHAPE)
    assert (tmp_path / "a.cells").stat().st_blocks * 512 < 100_000


def test_disk_that_is_nearly_full_is_not_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view_places, "RESERVE", 1 << 60)
    file = ViewFile(tmp_path / "a", SHAPE, 10)
    file.write(numbers(1), entries(numbers(1)))
    assert not file.read(numbers(1))[0].any()


@pytest.mark.parametrize("lost", ["entry", "half of the entry", "mark", "place"])
def test_entry_that_is_not_whole_is_not_there(tmp_path: Path, lost: str) -> None:
    ViewFile(tmp_path / "a", SHAPE, 10).write(numbers(1, 2), entries(numbers(1, 2)))
    size = entry_bytes(SHAPE)
    cells, marks = (bytearray((tmp_path / f"a.{part}").read_bytes()) for part in ("cells", "marks"))
    if lost == "entry":  # the mark reached the disk before a power cut, the entry did not
        cells[size : 2 * size] = bytes(size)
    elif lost == "half of the entry":
        cells[size + size // 2 : 2 * size] = bytes(size // 2)
    elif lost == "mark":
        marks[4:8] = bytes(4)
    else:  # another slot's entry and mark
        cells[size : 2 * size], marks[4:8] = cells[2 * size : 3 * size], marks[8:12]
    (tmp_path / "a.cells").write_bytes(cells)
    (tmp_path / "a.marks").write_bytes(marks)
    found, values = ViewFile(tmp_path / "a", SHAPE, 10).read(numbers(1, 2))
    assert found.tolist() == [False, True]
    assert torch.equal(values, entries(numbers(2)))


def write_for_ever(path: Path, slots: int) -> None:
    file = ViewFile(path, (16, 100), slots)
    random = np.random.default_rng()
    while True:
        chosen = random.permutation(slots)[: slots // 3]
        file.write(chosen, entries(chosen, (16, 100)))


def test_killed_writers_leave_whole_entries(tmp_path: Path) -> None:
    slots = 900
    file = ViewFile(tmp_path / "a", (16, 100), slots)
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
