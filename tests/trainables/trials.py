"""Trials of seconds for the tests of the data plane: cluttered digits, tiny networks, one thread."""

from __future__ import annotations

import contextlib
import dataclasses
import io
from pathlib import Path
from typing import Any

import torch

import trainables.models as models
from trainables.config import Data, FeatureTerm, LogitTerm, Method, Teacher, Training, TrialConfig
from trainables.data import load
from trainables.data.dataset import DataSet
from trainables.engine.evaluation import Metrics
from trainables.engine.runtime import Runtime
from trainables.models.weights import state_sha256
from trainables.storage.run_store import RunStore
from trainables.training.loop import run_trial

CPU = torch.device("cpu")
DATA = Data(name="cluttered_digits", validation=0.25, options={"scenes": 100, "test": 100})
"""75 images to train on: two whole batches of 32 and a smaller one."""

SD_DKD = LogitTerm(base="dkd", scales=(1, 2, 4), complementary_weight=3.0)
CRD = FeatureTerm(name="crd", weight=0.8, options={"dim": 8, "negatives": 32})


def tiny(
    method: Method | None = None, *, training: dict[str, Any] | None = None, **changes: Any
) -> TrialConfig:
    """A student resnet8 on :data:`DATA` for three epochs, trained plainly unless ``method`` is given."""
    options: dict[str, Any] = {"epochs": 3, "batch_size": 32, "schedule": "cosine", "precision": "float32"}
    config = TrialConfig(data=DATA, student="resnet8", training=Training(**(options | (training or {}))))
    return dataclasses.replace(config, method=method or Method(), **changes)


def file_teacher(store: RunStore, name: str = "wrn_10_1", seed: int = 7) -> Teacher:
    """File an untrained network, with running statistics of its own, as a teacher in ``store``."""
    torch.manual_seed(seed)
    network = models.build(name, 10)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    torch.nn.init.normal_(network.classifier.weight, std=0.5)
    state = network.state_dict()
    buffer = io.BytesIO()
    torch.save({"model": state}, buffer)
    store.file_teacher(state_sha256(state), buffer.getvalue(), {"name": name})
    return Teacher(name=name, weights=state_sha256(state))


class Run:
    """One call of ``run_trial``: what it reported and logged, and its result.

    ``runtime`` holds fields of its :class:`~trainables.engine.runtime.Runtime`.
    """

    def __init__(
        self,
        config: TrialConfig,
        store: RunStore,
        data: DataSet,
        *,
        stop_after: int | None = None,
        **runtime: Any,
    ) -> None:
        self.reports: list[Metrics] = []
        self.logged: list[str] = []
        self.result: dict[str, Any] | None = None
        self.stop_after = stop_after
        with contextlib.suppress(Stopped):
            self.result = run_trial(
                config,
                store,
                lambda config, device: data,
                self._report,
                Runtime(CPU, log=self.logged.append, **runtime),
            )

    def _report(self, metrics: Metrics) -> None:
        self.reports.append(dict(metrics))
        if len(self.reports) == self.stop_after:
            raise Stopped

    @property
    def numbers(self) -> list[Metrics]:
        """The reports, without how long things took."""
        return numbers(self.reports)


class Stopped(Exception):
    """What a scheduler's decision, or a lost machine, looks like from inside."""


def numbers(history: list[Metrics]) -> list[Metrics]:
    """Metrics without how long things took."""
    return [{k: v for k, v in metrics.items() if not k.startswith("time/")} for metrics in history]


def fresh_numbers(config: dict[str, Any], store: str) -> list[Metrics]:
    """The numbers of one trial in a process that has done nothing else; for :mod:`multiprocessing`."""
    torch.set_num_threads(1)
    trial = TrialConfig.from_dict(config)
    return Run(trial, RunStore(Path(store)), load(trial.data, CPU)).numbers
