"""Times a few steps of a pair on this machine, with an untrained teacher, which costs the same."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from study.plan.plan import Plan
from study.spec.study import Pair
from trainables.config.trial import Teacher, TrialConfig
from trainables.losses import logit_loss_spec

STEPS = 3
"""Steps that are timed, after one that is not."""

FEW_IMAGES = 16
"""Most images of a timed step on a CPU, where an image takes as long in a small batch as in a large one."""


@dataclass(frozen=True, slots=True)
class StepTimes:
    """Holds what one pair's trials take on one device of this machine.

    Attributes:
        student_s: seconds of an image in a step of the student, the teacher's outputs being remembered.
        teacher_s: seconds that an image more takes where the teacher has to look at it.
        evaluated_s: seconds of an image in an evaluation.
        teacher_training_s: seconds of an image in a step of the teacher's own training.
        multiply_adds: of a training step of the student, for an image; ``teacher_multiply_adds`` of a pass of
            the teacher.
        device: what it was measured on.
    """

    student_s: float
    teacher_s: float
    evaluated_s: float
    teacher_training_s: float
    multiply_adds: float
    teacher_multiply_adds: float
    device: str


def measure_pair(plan: Plan, pair: Pair) -> StepTimes:
    """Time the steps of one pair, uncompiled; nothing is left behind."""
    import torch

    import trainables.models as models
    from trainables.data import prepare
    from trainables.engine.device import best_device
    from trainables.models.profile import multiply_adds
    from trainables.models.weights import state_sha256
    from trainables.storage.run_store import RunStore

    device, name, size = best_device(wanted_gpus(plan)), str(pair.teacher), plan.image_size
    torch.set_num_threads(plan.spec.resources.cpus_per_trial)
    form = plan.large_images(name)
    network = models.build(name, plan.num_classes, image_size=size, large_images=form)
    state, file = network.state_dict(), io.BytesIO()
    torch.save({"model": state}, file)
    teacher = Teacher(name=name, weights=state_sha256(state))
    config = heaviest(plan, pair, teacher)
    with tempfile.TemporaryDirectory(prefix="sdd-times-") as folder:
        store = RunStore(Path(folder))
        store.file_teacher(teacher.weights, file.getvalue(), {"name": name})
        data = prepare(plan.raw, config.data, device)
        student = _PairTimer(config, store, data, device, network)
        training = _PairTimer(plan.teacher_trial(pair).config, store, data, device)
        looked_at = student.teacher_s()
        return StepTimes(
            student_s=max(student.step_s() - looked_at, 0.0),
            teacher_s=looked_at,
            evaluated_s=student.evaluated_s(),
            teacher_training_s=training.step_s(),
            multiply_adds=plan.costs(pair, ["student/multiply_adds"])["student/multiply_adds"],
            teacher_multiply_adds=float(multiply_adds(network, size)),
            device=torch.cuda.get_device_name(device) if device.type == "cuda" else "core",
        )


class _PairTimer:
    """Times one configuration, seconds an image."""

    def __init__(self, config: TrialConfig, store: Any, data: Any, device: Any, teacher: Any = None) -> None:
        from trainables.engine.head import MultiScaleHead
        from trainables.engine.runtime import CachePolicy, Runtime, TrialInputs
        from trainables.teacher.live import LiveTeacher
        from trainables.training.build import build_engine

        runtime = Runtime(device, compile_mode="eager", cache_policy=CachePolicy(budget="off"))
        self._engine = build_engine(TrialInputs(config, store, data), runtime)
        self._device = device
        size = config.training.batch_size
        size = min(size, FEW_IMAGES) if device.type == "cpu" else size
        self._batches = list(islice(data.train.batches(size, epoch=1), STEPS + 1))
        term = config.method.logit
        if term is not None and not isinstance(self._engine.teacher, LiveTeacher):
            # a teacher whose outputs are remembered looks thousands of images ahead
            head = MultiScaleHead(teacher.to(device), term.scales, full_precision=True, pooling=term.pooling)
            self._engine.teacher = LiveTeacher(head.eval(), config.training, device)

    def step_s(self) -> float:
        """Return the time of a step, its teacher looking at each image."""
        self._engine.student.train()
        return self._seconds(lambda batch: self._engine.step(batch, 1))

    def teacher_s(self) -> float:
        """Return the time of the teacher alone; 0 where there is none."""
        teacher = self._engine.teacher
        return 0.0 if teacher is None else self._seconds(teacher)

    def evaluated_s(self) -> float:
        """Return the time of the student's pass in an evaluation."""
        import torch

        network = self._engine.student.network.eval()
        with torch.no_grad():
            return self._seconds(lambda batch: network(batch.images))

    def _seconds(self, run: Callable[[Any], Any]) -> float:
        import torch

        run(self._batches[0])
        timed = self._batches[1:] or self._batches
        began = time.perf_counter()
        for batch in timed:
            run(batch)
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return (time.perf_counter() - began) / sum(len(batch.target) for batch in timed)


def heaviest(plan: Plan, pair: Pair, teacher: Teacher) -> TrialConfig:
    """Return the configuration of the pair that computes most: of two views, else of the most regions."""
    configs = [plan.fixed_config(pair, method, teacher) for method in plan.spec.methods]

    def work(config: TrialConfig) -> tuple[int, int, int]:
        term, features = config.method.logit, len(config.method.features)
        if term is None:
            return 1, 0, features
        return logit_loss_spec(term.base).views, sum(scale**2 for scale in term.scales), features

    return max(configs, key=work)


def wanted_gpus(plan: Plan) -> float | None:
    """Return the GPUs that a trial asks for, where it says a number."""
    wanted = plan.spec.resources.gpus_per_trial
    return wanted if isinstance(wanted, float | int) else None
