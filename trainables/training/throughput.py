"""Trains a trial for some seconds, to find out how fast it is beside others on the same device."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from trainables.config.trial import TrialConfig
from trainables.data import RawData, prepare
from trainables.engine.device import best_device
from trainables.engine.runtime import CachePolicy, CompileMode, Runtime, TrialInputs
from trainables.storage.run_store import RunStore
from trainables.training.build import build_engine


class Throughput(NamedTuple):
    """Carries what a probe found.

    Attributes:
        images_per_s: trained on by this probe alone.
        free: share of the device's memory that is free, all processes together; 1.0 on a CPU.
    """

    images_per_s: float
    free: float


class ThroughputProbe:
    """Trains a trial a little and throws it away; nothing is filed but views of the teacher."""

    def __init__(
        self, config: Mapping[str, Any], store: str, raw: RawData, threads: int, compile_mode: CompileMode
    ) -> None:
        torch.set_num_threads(threads)
        self.config = TrialConfig.from_dict(config)
        self.device = best_device()
        self.data = prepare(raw, self.config.data, self.device)
        policy = CachePolicy("off")  # what a trial's first epoch costs, at the least
        runtime = Runtime(self.device, compile_mode=compile_mode, cache_policy=policy)
        self.engine = build_engine(TrialInputs(self.config, RunStore(store), self.data), runtime)

    def train(self, seconds: float) -> Throughput:
        """Train for so long, whole batches, and return how fast."""
        engine, size = self.engine, self.config.training.batch_size
        engine.student.train()
        images, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            if engine.teacher is not None:
                engine.teacher.begin_epoch(self.data.train, self.data.train.plan(size, epoch=1))
            for batch in self.data.train.batches(size, epoch=1):
                engine.step(batch, 1)
                images += len(batch.target)
                if time.perf_counter() - began >= seconds:
                    break
        return Throughput(images / self._elapsed(began), self._free())

    def _elapsed(self, began: float) -> float:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter() - began

    def _free(self) -> float:
        if self.device.type != "cuda":
            return 1.0
        free, total = torch.cuda.mem_get_info(self.device)
        return free / total
