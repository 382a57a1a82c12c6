"""What is read ahead is what a file would give, whether it is asked for as foreseen or not."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from tests.trainables.teacher.test_cache import Counting, Slots
from tests.trainables.trials import CPU, SD_DKD, file_teacher, tiny
from trainables.config import Method
from trainables.data.dataset import DataSet
from trainables.data.epoch_plan import EpochPlan
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.storage.run_store import RunStore
from trainables.teacher.cache import TeacherCache
from trainables.teacher.cache_files import ViewFile
from trainables.teacher.cache_memory import ViewMemory
from trainables.teacher.cached import CachedTeacher
from trainables.teacher.device_share import DeviceShare
from trainables.teacher.opening import load_teacher, open_teacher
from trainables.teacher.read_ahead import ReadAhead
from trainables.teacher.row_table import Mask
from trainables.teacher.row_table import Slots as SlotNumbers

SHAPE = (2, 3)


def entries(slots: NDArray[np.int64]) -> Tensor:
    return torch.from_numpy(slots).half()[:, None, None].expand(-1, *SHAPE)


def opened(folder: Path) -> ReadAhead:
    return ReadAhead(folder / "a", SHAPE, 1000, 500, pinned=False)


@pytest.fixture
def file(tmp_path: Path) -> ReadAhead:
    """A file with the entries of all even slots below 200."""
    written = opened(tmp_path)
    even = np.arange(0, 200, 2)
    written.write(even, entries(even))
    return written


def test_the_next_epochs_first_window_is_read_while_this_one_trains(
    store: RunStore, digits: DataSet, tmp_path: Path
) -> None:
    """So it is there although the file has lost all meanwhile."""
    config = tiny(Method(logit=SD_DKD), teacher=file_teacher(store), training={"batch_size": 32, "epochs": 3})
    assert config.teacher is not None
    network = load_teacher(config.teacher, store, digits, CPU)
    teacher = open_teacher(network, TrialInputs(config, store, digits), Runtime(CPU))
    assert isinstance(teacher, CachedTeacher)
    views = teacher.views
    file = ReadAhead(tmp_path / "views", views.shape, views.source.count, 1000, pinned=False)
    views.backends, views.computed = [file], 0
    plans = [digits.train.plan(32, epoch=epoch) for epoch in (1, 2, 3)]

    def regions(number: int, following: EpochPlan | None) -> Tensor:
        teacher.begin_epoch(digits.train, plans[number], following)
        found = []
        for batch in digits.train.show(plans[number], (0, number + 1)):
            teacher.advance(len(batch.target))
            found.append(teacher(batch).regions)
        return torch.cat(found)

    second = regions(1, None)
    regions(0, plans[1])
    assert file._begun is not None
    file._begun[2].result()
    file.forget()
    computed = views.computed
    assert torch.equal(regions(1, plans[2]), second)
    assert views.computed == computed
    regions(1, None)
    assert views.computed == computed + len(digits.train), "the file itself has lost them"


def waited_for(monkeypatch: pytest.MonkeyPatch) -> list[SlotNumbers]:
    """What the thread that trains reads from files itself, from now on."""
    waited: list[SlotNumbers] = []
    read = ViewFile.read

    def watched(self: ViewFile, slots: SlotNumbers) -> tuple[Mask, Tensor]:
        if threading.current_thread() is threading.main_thread() and len(slots):
            waited.append(slots)
        return read(self, slots)

    monkeypatch.setattr(ViewFile, "read", watched)
    return waited


@pytest.mark.parametrize("batch_size", [10, 12, 16, 40])
def test_only_the_first_window_of_all_is_waited_for(
    store: RunStore, digits: DataSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    """Whether or not so many batches make a window, which is shorter here than an epoch."""
    monkeypatch.setattr("trainables.teacher.cached.WINDOW", 32)
    config = tiny(Method(logit=SD_DKD), teacher=file_teacher(store), training={"batch_size": batch_size})
    assert config.teacher is not None
    network = load_teacher(config.teacher, store, digits, CPU)
    teacher = open_teacher(network, TrialInputs(config, store, digits), Runtime(CPU))
    assert isinstance(teacher, CachedTeacher)
    views = teacher.views
    views.backends = [
        file := ReadAhead(tmp_path / "views", views.shape, views.source.count, 2000, pinned=False)
    ]
    plans = [digits.train.plan(batch_size, epoch=epoch) for epoch in (1, 2, 3)]
    all_slots = np.concatenate([views.source.of(digits.train.index.numpy()[p.rows], p.views) for p in plans])
    views.cells(all_slots)
    waited = waited_for(monkeypatch)
    for plan, following in zip(plans, [*plans[1:], None], strict=True):
        teacher.begin_epoch(digits.train, plan, following)
        for size in plan.sizes:
            teacher.advance(size)
    assert len(waited) == 1
    assert file.marked().size == len(np.unique(all_slots))


@pytest.mark.parametrize(
    ("ahead", "asked"),
    [
        ([4, 8, 12], [4, 8, 12]),
        ([12, 4, 8, 5, 4], [8, 5, 4]),
        ([4, 8], [4, 8, 12]),
        ([], [4, 5]),
        ([5, 7], [5, 7]),
        ([4, 8], []),
        ([999], [1, 2]),
    ],
)
def test_entries_are_the_files(file: ReadAhead, ahead: list[int], asked: list[int]) -> None:
    file.ahead(np.array(ahead, dtype=np.int64))
    slots = np.array(asked, dtype=np.int64)
    for _ in range(2):
        found, values = file.read(slots)
        assert found.tolist() == [slot % 2 == 0 for slot in asked]
        assert torch.equal(values, entries(slots[found]))


def test_a_later_window_takes_the_place_of_the_one_before(file: ReadAhead) -> None:
    for start in range(0, 100, 20):
        file.ahead(np.arange(start, start + 20))
    found, values = file.read(np.arange(80, 100))
    assert torch.equal(values, entries(np.arange(80, 100)[found]))


def test_windows_of_an_epoch_are_read_ahead_without_those_in_memory(
    tmp_path: Path, file: ReadAhead, monkeypatch: pytest.MonkeyPatch
) -> None:
    teacher = Counting()
    memory = ViewMemory(1000, SHAPE, CPU, DeviceShare(1 << 20, free=lambda: 1 << 30))
    views = TeacherCache(teacher, Slots(), SHAPE, CPU, [memory, file])
    windows = [np.arange(start, start + 30) for start in (0, 20, 60)]
    foreseen = []
    monkeypatch.setattr(ReadAhead, "ahead", lambda self, slots: foreseen.append(slots.tolist()))
    for window, following in zip(windows, [*windows[1:], np.empty(0, np.int64)], strict=True):
        assert torch.equal(views.cells(window), entries(window))
        views.ahead(following)
    assert foreseen == [list(range(30, 50)), list(range(60, 90)), []]
    assert views.computed == 45 - 5


def test_what_another_process_wrote_since_is_found(file: ReadAhead, tmp_path: Path) -> None:
    asked = np.array([3, 2, 201, 4, 5, 4])
    file.ahead(asked)
    file._begun[2].result()  # type: ignore[index]
    late = np.array([201, 5])
    ViewFile(tmp_path / "a", SHAPE, 1000, 500).write(late, entries(late))
    found, values = file.read(asked)
    assert found.tolist() == [False, True, True, True, True, True]
    assert torch.equal(values, entries(asked[found]))


def test_a_reading_that_failed_is_told_once(file: ReadAhead, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> Mask:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr(ReadAhead, "_fill", refuse)
        file.ahead(np.array([2]))
    with pytest.raises(MemoryError):
        file.ahead(np.array([4]))
    file.ahead(np.array([4]))
    assert file.read(np.array([4]))[0].all()
