"""Trains a trial for some seconds, to find out how fast it is beside others on the same device."""

from __future__ import annotations

import time
from typing import NamedTuple, Protocol

import torch

from trainables.config.trial import TrialConfig
from trainables.data import RawData, prepare
from trainables.data.epoch_plan import EpochPlan
from trainables.engine.runtime import TrialInputs
from trainables.storage.run_store import RunStore
from trainables.teacher.cached import WINDOW
from trainables.teacher.remembered import RememberedTeacher
from trainables.training.build import build_engine
from trainables.training.process import ProcessSettings

PARTS = 10
"""The measured time is filled with pieces of work of about this part of it each."""


class Throughput(NamedTuple):
    """Carries how fast a probe was, and what room it left.

    Attributes:
        images_per_s: trained on by this probe alone.
        free: share of the device's memory that is free, all processes together; 1.0 on a CPU.
        wanted: share of it that this probe's remembered outputs, of which it meets a window, would take still
            in a whole training, if there were room.
    """

    images_per_s: float
    free: float
    wanted: float


class Probed(Protocol):
    """Names what a probe needs to know of its trial; see ``study.compute.gpu_packing.PackedTrial``."""

    config: TrialConfig
    store: str
    raw: RawData
    process: ProcessSettings


class ThroughputProbe:
    """Trains a trial a little and throws it away; nothing is filed but views of the teacher.

    The same images in the same views are trained on again and again, as many as a window of the teacher's:
    once they are cached, this is a step of a study's later trials, not of its first epoch.
    """

    def __init__(self, trial: Probed) -> None:
        self.runtime = trial.process.runtime()
        self.config = trial.config
        self.data = prepare(trial.raw, self.config.data, self.runtime.device)
        inputs = TrialInputs(self.config, RunStore(trial.store), self.data)
        self.engine = build_engine(inputs, self.runtime)
        size = self.config.training.batch_size
        self.plan, _ = self.data.train.plan(size, epoch=1).cut(max(1, WINDOW // size))
        self._piece: EpochPlan | None = None

    def train(self, seconds: float) -> Throughput:
        """Train for so long, whole batches, and return how fast; the first call trains on each image once."""
        images, began = 0, time.perf_counter()
        if self._piece is None:
            images = self._train(self.plan)
            parts = PARTS * self._elapsed(began) / seconds
            self._piece, _ = self.plan.cut(max(1, int(len(self.plan.sizes) / max(parts, 1))))
        while images == 0 or time.perf_counter() - began < seconds:
            images += self._train(self._piece)
        return Throughput(images / self._elapsed(began), *self._memory())

    def _train(self, plan: EpochPlan) -> int:
        """Train on the batches of ``plan``; return how many images they have."""
        self.engine.train(self.data.train, plan, epoch=1, seed=0)
        return len(plan.rows)

    def _elapsed(self, began: float) -> float:
        if self.runtime.device.type == "cuda":
            torch.cuda.synchronize(self.runtime.device)
        return time.perf_counter() - began

    def _memory(self) -> tuple[float, float]:
        if self.runtime.device.type != "cuda":
            return 1.0, 0.0
        free, total = torch.cuda.mem_get_info(self.runtime.device)
        teacher = self.engine.teacher
        if not isinstance(teacher, RememberedTeacher):
            return free / total, 0.0
        shown = self.config.training.epochs * len(self.data.train)
        return free / total, teacher.views.wanted_on_device(shown) / total
