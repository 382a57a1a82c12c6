"""Engines on the fake device, on made images."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path
from typing import Any

import torch

from benchmarks import made
from trainables.config import Method
from trainables.data import prepare
from trainables.data.dataset import DataSet
from trainables.engine.engine import Engine
from trainables.engine.runtime import CachePolicy, Runtime, TrialInputs
from trainables.storage.run_store import RunStore
from trainables.training.build import build_engine

GPU = torch.device("cuda")
BATCH = 64


def inputs(
    method: Method | None = None,
    *,
    steps: int = 4,
    student: str = "resnet8",
    test_images: int = 100,
    **training: Any,
) -> TrialInputs:
    """A trial of ``student`` under resnet8, by SD-KD unless ``method`` is given, in bf16."""
    store = Path(tempfile.mkdtemp())
    config = made.trial(store, "resnet8", student, (1, 2), "bf16", BATCH)
    changed = dataclasses.replace(config.training, **training)
    config = dataclasses.replace(config, method=method or config.method, training=changed)
    data = prepare(made.raw(max(steps * BATCH, made.CLASSES), test_images), config.data, GPU)
    return TrialInputs(config, RunStore(store), data)


def runtime(**fields: Any) -> Runtime:
    """Eager on the fake device, nothing remembered, unless ``fields`` say otherwise."""
    return Runtime(GPU, **{"compile_mode": "eager", "cache_policy": CachePolicy("off"), **fields})


def engine(of: TrialInputs, on: Runtime | None = None) -> Engine:
    """Its engine."""
    return build_engine(of, on or runtime())


def train(built: Engine, data: DataSet, epochs: int = 1) -> None:
    """Train whole epochs."""
    for epoch in range(1, epochs + 1):
        built.train_epoch(data.train, epoch, seed=0)
