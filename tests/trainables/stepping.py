"""Single steps of tiny trials, compiled or eager."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from tests.trainables.trials import CPU, SD_DKD, file_teacher, tiny
from trainables.config import Method, TrialConfig
from trainables.data.dataset import DataSet
from trainables.engine.engine import Engine
from trainables.engine.process_cache import ProcessCache
from trainables.engine.runtime import CompileMode, Runtime, TrialInputs
from trainables.storage.run_store import RunStore
from trainables.training.build import build_engine

needs_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler")


def trial(store: RunStore, **changes: Any) -> TrialConfig:
    """A tiny distillation trial, slow enough that roundings do not grow."""
    training = {"batch_size": 25, "lr": 1e-4} | changes.pop("training", {})
    method = changes.pop("method", Method(logit=changes.pop("term", SD_DKD)))
    return tiny(method, teacher=file_teacher(store), training=training, **changes)


def losses(
    config: TrialConfig,
    store: RunStore,
    data: DataSet,
    mode: CompileMode,
    cache: ProcessCache | None = None,
    steps: int = 20,
) -> list[float]:
    """The loss at each step."""
    runtime = Runtime(CPU, compile_mode=mode, process_cache=cache or ProcessCache())
    engine = build_engine(TrialInputs(config, store, data), runtime)
    assert (engine.compiled is not None) == (mode == "compiled")
    endless = (value for epoch in itertools.count(1) for value in one_epoch(engine, data, epoch))
    return list(itertools.islice(endless, steps))


def one_epoch(engine: Engine, data: DataSet, epoch: int) -> Iterator[float]:
    engine.student.train()
    size = engine.training.batch_size
    if engine.teacher is not None:
        engine.teacher.begin_epoch(data.train, data.train.plan(size, epoch=epoch))
    for batch in data.train.batches(size, epoch=epoch):
        terms, _ = engine.step(batch, epoch)
        yield sum(value.item() for value in terms.values())
