"""Memory for teacher outputs is taken as they come, of one share of the device, and given back."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from tests.trainables.trials import CPU
from trainables.teacher import cache_memory
from trainables.teacher.cache_memory import ViewMemory
from trainables.teacher.device_share import DeviceShare, left_free

SHAPE, ENTRY = (2, 4), 16


def entries(slots: np.ndarray) -> Tensor:
    return torch.from_numpy(slots)[:, None, None].expand(-1, *SHAPE).half()


def memory(share: DeviceShare, slots: int = 2000) -> ViewMemory:
    return ViewMemory(slots, SHAPE, CPU, share)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache_memory, "BLOCK_BYTES", 8 * ENTRY)


def test_little_is_taken_for_few_entries_and_in_few_blocks_for_many() -> None:
    share = DeviceShare(1 << 20, free=lambda: 1 << 30)
    kept, order = memory(share), np.random.default_rng(0).permutation(2000)
    assert share.taken == 0
    kept.write(order[:3], entries(order[:3]))
    assert share.taken == 8 * ENTRY
    for start in range(3, 2000, 5):
        kept.write(order[start : start + 5], entries(order[start : start + 5]))
    assert share.taken == 2000 * ENTRY
    assert 10 < len(kept._blocks) < 30
    asked = np.array([1999, 0, 1999, 700, 3])
    found, values = kept.read(asked)
    assert found.all()
    assert torch.equal(values, entries(asked))


def test_of_one_share_the_first_take_what_they_need_and_get_more_when_others_give_back() -> None:
    share = DeviceShare(100 * ENTRY, free=lambda: 1 << 30)
    first, second = memory(share), memory(share)
    slots = np.arange(80)
    first.write(slots, entries(slots))
    second.write(slots, entries(slots))
    assert second.holds(slots).sum() == 20
    assert share.room == 0
    first.release()
    assert not first.read(slots)[0].any()
    assert share.taken == 20 * ENTRY
    second.write(slots, entries(slots))
    found, values = second.read(slots[::-1].copy())
    assert found.all()
    assert torch.equal(values, entries(slots[::-1].copy()))
    first.write(slots, entries(slots))
    assert first.holds(slots).sum() == 20


def test_a_process_takes_a_quarter_of_what_is_free_beside_it_and_leaves_others_theirs() -> None:
    device, taken_by_others = 400 * ENTRY, 0
    share = DeviceShare(1 << 30, free=lambda: device - taken_by_others - share.taken)
    kept, slots = memory(share), np.arange(60)
    kept.write(slots, entries(slots))
    assert (kept.holds(slots).sum(), share.room) == (60, 40 * ENTRY)
    taken_by_others = 160 * ENTRY
    more = np.arange(60, 200)
    kept.write(more, entries(more))
    assert not kept.holds(more).any(), "a quarter of 240 is 60"


def test_room_that_comes_and_goes_does_not_end_in_many_small_blocks() -> None:
    free = 4 * 10 * ENTRY
    share = DeviceShare(1 << 30, free=lambda: free - share.taken)
    kept = memory(share)
    for start in range(0, 50, 10):
        slots = np.arange(start, start + 10)
        kept.write(slots, entries(slots))
        free += 4 * ENTRY
    assert [len(block) for block in kept._blocks] == [10]


def test_what_is_wanted_is_what_all_entries_take_and_no_more_than_the_limit() -> None:
    share = DeviceShare(100 * ENTRY, free=lambda: 0)
    kept = memory(share, slots=80)
    assert (kept.wanted(500), memory(share, slots=200).wanted(500)) == (80 * ENTRY, 100 * ENTRY)
    share = DeviceShare(100 * ENTRY, free=lambda: 1 << 30)
    kept = memory(share, slots=80)
    kept.write(np.arange(8), entries(np.arange(8)))
    assert (kept.wanted(500), kept.wanted(10), kept.wanted(5)) == (72 * ENTRY, 2 * ENTRY, 0)


def test_eight_processes_leave_what_was_said_of_them() -> None:
    device = 8_000 * ENTRY
    shares: list[DeviceShare] = []
    for _ in range(8):
        shares.append(DeviceShare(1 << 40, free=lambda: device - sum(one.taken for one in shares)))
    for _ in range(1_000):
        for share in shares:
            share.take(1, ENTRY)
    left = device - sum(share.taken for share in shares)
    assert left == pytest.approx(left_free(device, 8, wanted=device), rel=0.02)


def test_where_another_process_took_the_room_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    share = DeviceShare(1 << 20, free=lambda: 1 << 30)
    kept, slots = memory(share), np.arange(4)

    def refuse(*shape: int, **options: object) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(torch, "empty", refuse)
        kept.write(slots, entries(slots))
    assert (share.taken, kept.holds(slots).any()) == (0, False)
    kept.write(slots, entries(slots))
    assert kept.holds(slots).all()


def test_entries_that_could_not_be_written_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    share = DeviceShare(1 << 20, free=lambda: 1 << 30)
    kept, slots = memory(share), np.arange(4)

    def refuse(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with monkeypatch.context() as patched:
        patched.setattr(ViewMemory, "_parts", refuse)
        with pytest.raises(torch.OutOfMemoryError):
            kept.write(slots, entries(slots))
    assert (share.taken, kept.holds(slots).any()) == (0, False)
