"""Trains a trial for some seconds, to find out how fast it is beside others on the same device."""

from __future__ import annotations

import itertools
import time
from typing import NamedTuple, Protocol

import torch

from trainables.config.trial import TrialConfig
from trainables.data import RawData, prepare
from trainables.engine.device import best_device
from trainables.engine.runtime import CachePolicy, CompileMode, Runtime, TrialInputs
from trainables.storage.run_store import RunStore
from trainables.teacher.cached import WINDOW
from trainables.training.build import build_engine


class Throughput(NamedTuple):
    """Carries how fast a probe was, and what room it left.

    Attributes:
        images_per_s: trained on by this probe alone.
        free: share of the device's memory that is free, all processes together; 1.0 on a CPU.
    """

    images_per_s: float
    free: float


class Probed(Protocol):
    """Names what a probe needs to know of its trial; see ``study.compute.gpu_packing.PackedTrial``."""

    config: TrialConfig
    store: str
    raw: RawData
    gpus: int
    cpus: int
    compile_mode: CompileMode
    cache_policy: CachePolicy


class ThroughputProbe:
    """Trains a trial a little and throws it away; nothing is filed but views of the teacher.

    The same images in the same views are trained on again and again, as many as a window of the teacher's:
    once they are cached, this is a step of a study's later trials, not of its first epoch.
    """

    def __init__(self, trial: Probed) -> None:
        torch.set_num_threads(trial.cpus)
        self.config = trial.config
        device = best_device(trial.gpus)
        self.data = prepare(trial.raw, self.config.data, device)
        self.runtime = Runtime(device, compile_mode=trial.compile_mode, cache_policy=trial.cache_policy)
        inputs = TrialInputs(self.config, RunStore(trial.store), self.data)
        self.engine = build_engine(inputs, self.runtime)
        self._warm = False

    def train(self, seconds: float) -> Throughput:
        """Train for so long, whole batches, and return how fast; the first call trains on each image once."""
        images, began = 0, time.perf_counter()
        while not self._warm or time.perf_counter() - began < seconds:
            images += self._pass(began + seconds if self._warm else None)
            self._warm = True
        return Throughput(images / self._elapsed(began), self._free())

    def _pass(self, end: float | None) -> int:
        """Train on the images once, or until ``end``; return how many they were."""
        engine, size, images = self.engine, self.config.training.batch_size, 0
        engine.student.train()
        if engine.teacher is not None:
            engine.teacher.begin_epoch(self.data.train, self.data.train.plan(size, epoch=1))
        batches = itertools.islice(self.data.train.batches(size, epoch=1), max(1, WINDOW // size))
        for batch in batches:
            engine.step(batch, 1)
            images += len(batch.target)
            if end is not None and time.perf_counter() >= end:
                break
        return images

    def _elapsed(self, began: float) -> float:
        if self.runtime.device.type == "cuda":
            torch.cuda.synchronize(self.runtime.device)
        return time.perf_counter() - began

    def _free(self) -> float:
        if self.runtime.device.type != "cuda":
            return 1.0
        free, total = torch.cuda.mem_get_info(self.runtime.device)
        return free / total
