"""What large images and remembered views ask of the device and its memory."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import made
from tests.fakecuda.counters import Counted, memory
from tests.fakecuda.engines import GPU, engine, inputs, runtime, train
from trainables.config import LogitTerm, Method
from trainables.data.copy_stream import CopyStream
from trainables.data.staging import DeviceStaging
from trainables.engine.process_cache import ProcessCache
from trainables.engine.runtime import CachePolicy
from trainables.teacher.cache_memory import BLOCK_BYTES, ViewMemory
from trainables.teacher.cache_policy import device_share
from trainables.teacher.cached import CachedTeacher
from trainables.teacher.device_share import DeviceShare
from trainables.teacher.read_ahead import ReadAhead
from trainables.training.process import ProcessSettings
from trainables.training.throughput import ThroughputProbe

ENTRY = 16 * 100 * 2
"""Bytes of a view's outputs: a grid of 4, 100 classes."""


def finished(count: int) -> Counted:
    """What finishing a batch of so many crops asks for."""
    statistics = torch.ones(3, device=GPU)
    copies = CopyStream(GPU)
    batches = [DeviceStaging(copies, count, 64, 32, statistics, statistics) for _ in range(2)]
    for batch in batches:
        for row in range(count):
            batch.put(row, np.zeros((40 + row % 20, 50, 3), np.uint8), flip=row % 2 == 0)
    batches[0].images()
    with Counted() as counted:
        assert batches[1].images().device.type == "cuda"
    return counted


def test_crops_are_finished_all_at_once() -> None:
    few, many = finished(4), finished(64)
    assert many.launches == few.launches
    assert many.to_device == few.to_device == 2
    assert many.aside == many.stream_waits == 2
    assert many.synchronisations == 0


def test_views_that_come_first_take_what_room_there_is() -> None:
    of = inputs()
    images, room = len(of.data.train), 100
    built = engine(of, runtime(cache_policy=CachePolicy(room * ENTRY)))
    assert isinstance(built.teacher, CachedTeacher)
    memory, file = built.teacher.views.backends
    assert isinstance(memory, ViewMemory)
    assert isinstance(file, ReadAhead)
    for epoch in range(3):
        train(built, of.data)
        assert built.teacher.views.computed == images + epoch * (images - room)


def test_a_probe_says_what_remembered_outputs_would_take_still() -> None:
    of, process = inputs(steps=100, epochs=3), ProcessSettings(compile_mode="eager", gpus=1.0)
    raw = made.raw(len(of.data.train), 10)
    trial: Any = SimpleNamespace(config=of.config, store=of.store.root, raw=raw, process=process)
    probe = ThroughputProbe(trial)
    measured = probe.train(0.01)
    assert isinstance(probe.engine.teacher, CachedTeacher)
    memory, *_ = probe.engine.teacher.views.backends
    assert isinstance(memory, ViewMemory)
    shown, kept = of.config.training.epochs * len(probe.data.train), sum(map(len, memory._blocks))
    assert 0 < kept < shown
    assert measured.wanted * torch.cuda.mem_get_info()[1] == pytest.approx((shown - kept) * ENTRY)


def test_views_take_what_is_used_and_old_kinds_of_them_give_it_back() -> None:
    """By default a quarter of the GPU is theirs, of all kinds together; few views take few blocks of it."""
    process = runtime(process_cache=ProcessCache(), cache_policy=CachePolicy())
    before, taken = memory(), []
    for scales in ((1, 2), (1, 3), (3,), (1, 8), (2, 8), (1, 3, 8)):  # each set has a layout of its own
        of = inputs(Method(logit=LogitTerm(scales=scales)))
        built = engine(of, process)
        train(built, of.data)
        assert isinstance(built.teacher, CachedTeacher)
        assert isinstance(built.teacher.views.backends[0], ViewMemory)
        taken.append(device_share(process).taken)
    assert taken[0] > 0
    assert max(taken) <= 4 * BLOCK_BYTES, "four kinds are kept"
    assert memory() - before < 1 << 30, "with networks, activations and all"
    assert device_share(process).room > 15 << 30


def test_entries_of_many_blocks_are_read_and_written_without_a_wait() -> None:
    share = DeviceShare(1 << 30, free=lambda: 1 << 40)
    kept, values = ViewMemory(40_000, (16, 100), GPU, share), torch.ones(10_000, 16, 100, device=GPU).half()
    for start in range(0, 40_000, 10_000):
        kept.write(np.arange(start, start + 10_000), values)
    with Counted() as counted:
        kept.write(np.arange(0, 40_000, 4), values)
        found, _ = kept.read(np.arange(0, 40_000, 4))
    assert found.all()
    assert counted.to_device == 2
    assert (counted.to_host, counted.synchronisations) == (0, 0)


def test_the_next_window_is_read_ahead_without_a_wait_for_the_device() -> None:
    def second_epoch(steps: int) -> Counted:
        of = inputs(steps=steps)
        built = engine(of, runtime(cache_policy=CachePolicy(1 << 32)))
        train(built, of.data)
        assert isinstance(built.teacher, CachedTeacher)
        views = built.teacher.views
        views.backends, views.computed = views.backends[1:], 0  # as for a process that finds the file
        train(built, of.data)
        with Counted() as counted:
            train(built, of.data)
        assert views.computed == 0
        assert counted.aside == counted.stream_waits == -(-steps // 64)
        return counted

    few, many = second_epoch(60), second_epoch(80)  # one window, and two
    assert many.synchronisations == few.synchronisations


def test_what_was_copied_aside_is_given_up_in_time() -> None:
    copies, rows = CopyStream(GPU), torch.ones(1 << 20).pin_memory()
    copies.copy(rows)
    before = memory()
    for _ in range(50):
        copies.copy(rows)
    assert memory() - before <= 8 * rows.nbytes
