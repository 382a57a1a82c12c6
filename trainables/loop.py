"""One configuration -> one trained student: epochs, evaluation, reports, checkpoints. Plain torch.

Whatever happened before, a call of :func:`run_trial` reports every epoch of the trial from the first, in
order: those a checkpoint or a finished result already holds are replayed, the rest are trained. The numbers
are the same in each case, to the last bit on a CPU, because all randomness of an epoch comes from (seed,
epoch).
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

import trainables.models as models
from trainables import checkpoint
from trainables.compiled import Mode, step_for, worth_compiling
from trainables.config import Teacher, TrialConfig
from trainables.criterion import Criterion, MultiScaleHead, feature_shapes
from trainables.data.dataset import DataSet
from trainables.engine import Engine, TeacherOutputs
from trainables.finishing import Metrics, finish, measure
from trainables.group import ALONE, Group
from trainables.losses.features import FeatureShapes
from trainables.memory import keep_freed_memory
from trainables.precision import set_matrix_units
from trainables.remembering import Remembering
from trainables.sharing import check_shared
from trainables.store import RunFolder, Store
from trainables.teacher import load_teacher, open_teacher
from trainables.times import Times
from trainables.warm import Warm

Report = Callable[[Metrics], None]


class NonFiniteLoss(Exception):
    """The loss became NaN or infinite; the trial has failed and says so."""


def run_trial(
    config: TrialConfig,
    store: Store,
    load_data: Callable[[TrialConfig, torch.device], DataSet],
    report: Report,
    device: torch.device,
    say: Callable[[str], None] = print,
    *,
    room: Remembering | None = None,
    engine: Mode = "auto",
    warm: Warm | None = None,
    group: Group = ALONE,
) -> dict[str, Any]:
    """Train, or finish training, or replay ``config``; returns the record that is filed under its key.

    The processes of a group call this together. All of them report; only the leader writes files, says things
    and returns the record.

    Args:
        load_data: gives the data set; a warm process keeps it.
        report: called with the metrics of each epoch, ``epoch`` counted from 1 among them. Whatever it
            raises ends the trial, which can be gone on with later.
        say: takes a line about a damaged checkpoint and the like.
        room: for the teacher's remembered outputs.
        engine: whether steps are compiled; decides how numbers are rounded.
        warm: what this process keeps from trial to trial.
        group: the processes that train the trial together.

    Raises:
        NonFiniteLoss: at the end of the epoch in which the loss became NaN or infinite.
        MissingTeacher: the teacher's weights, or those given, are not in ``store``.
    """
    folder = store.open_run(config) if group.leads else store.run(config.trial_key)
    with folder.lock() if group.leads else nullcontext():
        result = group.told(folder.result() if group.leads else None)
        if result is not None:
            for metrics in result["history"]:
                report(metrics)
            return result
        data = load_data(config, device)
        if config.weights is not None:
            given = Teacher(name=config.student, weights=config.weights)
            student = load_teacher(given, store, data, device)
            return _measured(config, folder, student, data, report, device, group)
        built = build_engine(
            config, store, data, device, room=room, engine=engine, warm=warm, say=say, group=group
        )
        return _train(config, folder, built, data, report, say)


def _train(
    config: TrialConfig,
    folder: RunFolder,
    engine: Engine,
    data: DataSet,
    report: Report,
    say: Callable[[str], None],
) -> dict[str, Any]:
    group, training = engine.group, config.training
    state, problems = checkpoint.load(folder) if group.leads else (None, [])
    for problem in problems:
        say(problem)
    state = group.told(state)
    history = _restore(engine, state) if state is not None else []
    result: dict[str, Any] = {}
    if len(history) == training.epochs and group.leads:
        result = finish(config, folder, engine.student.network, history, data)
    for done in history:
        report(done)
    split = data.train if config.fit == "train" else data.all
    for epoch in range(len(history) + 1, training.epochs + 1):
        torch.manual_seed(_epoch_seed(config.seed, epoch, group.rank))  # dropout and the like
        times = Times(engine)
        metrics: Metrics = {"epoch": epoch, **engine.train_epoch(split, epoch, config.seed)}
        metrics["lr"] = engine.optimizer.lr
        times.trained(split.steps(training.batch_size, parts=training.batch_norm_parts))
        if not math.isfinite(metrics["train/loss"]):
            raise NonFiniteLoss(f"the loss is {metrics['train/loss']} in epoch {epoch}")
        metrics |= measure(config, engine.student.network, data, epoch, engine.device, group)
        metrics |= times.evaluated()
        history.append(metrics)
        if epoch < training.epochs and group.leads:
            checkpoint.save(folder, epoch, _state(engine, history))
        elif group.leads:  # before the report: a scheduler may end the trial in it
            result = finish(config, folder, engine.student.network, history, data)
        report(metrics)
    return result


def _measured(
    config: TrialConfig,
    folder: RunFolder,
    student: nn.Module,
    data: DataSet,
    report: Report,
    device: torch.device,
    group: Group,
) -> dict[str, Any]:
    """One report on a student that is given, as after a last epoch."""
    began = time.perf_counter()
    set_matrix_units(config.training)
    metrics = measure(config, student, data, config.training.epochs, device, group)
    took = time.perf_counter() - began
    metrics |= {"epoch": config.training.epochs, "time/evaluate_s": took, "time/epoch_s": took}
    result = finish(config, folder, student, [metrics], data) if group.leads else {}
    report(metrics)
    return result


def build_engine(
    config: TrialConfig,
    store: Store,
    data: DataSet,
    device: torch.device,
    *,
    room: Remembering | None = None,
    engine: Mode = "auto",
    warm: Warm | None = None,
    say: Callable[[str], None] = print,
    group: Group = ALONE,
) -> Engine:
    """The engine of ``config`` before its first step; all initial weights come from the seed alone."""
    size, term, wants_maps = max(data.image_size), config.method.logit, bool(config.method.features)
    warm = warm or Warm()
    split = data.train if config.fit == "train" else data.all
    features = [term.name for term in config.method.features]
    check_shared(features, config.training, group.size, [len(split)])
    compiled = worth_compiling(engine, config.training, split.steps(config.training.batch_size), device)
    set_matrix_units(config.training)
    if device.type == "cpu":
        keep_freed_memory()
    torch.manual_seed(_epoch_seed(config.seed, 0))
    student = models.build(config.student, data.num_classes, image_size=size)
    teacher: TeacherOutputs | None = None
    shapes: tuple[FeatureShapes | None, FeatureShapes | None] = (None, None)
    if (filed := config.teacher) is not None:
        key = (str(store.root), filed, data.num_classes, size, str(device))
        network = warm.get("teacher", key, lambda: load_teacher(filed, store, data, device), most=4)
        teacher = open_teacher(
            network, config, store, data, device, room or Remembering(), warm, say, compiled
        )
        if wants_maps:
            shapes = (feature_shapes(student, size), feature_shapes(network, size))
    torch.manual_seed(_epoch_seed(config.seed, 0))  # loading a teacher draws numbers, keeping one does not
    criterion = Criterion(config.method, *shapes, num_samples=int(data.all.index.max()) + 1)
    head = MultiScaleHead(student, term.scales if term else (1,), features=wants_maps)
    head.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    step = None
    if compiled and group.size == config.training.batch_norm_parts == 1:
        step = step_for(config, head, criterion, data.image_size, data.num_classes, device, warm, say)
    student_head = step.adopt(head) if step else head
    return Engine(student_head, teacher, criterion, config.training, device, step, group)


def _state(engine: Engine, history: list[Metrics]) -> dict[str, Any]:
    return {
        "student": engine.student.network.state_dict(),
        "criterion": engine.criterion.state_dict(),
        "optimizer": engine.optimizer.state_dict(),
        "history": history,
    }


def _restore(engine: Engine, state: Mapping[str, Any]) -> list[Metrics]:
    engine.student.network.load_state_dict(state["student"])
    engine.criterion.load_state_dict(state["criterion"])
    engine.optimizer.load_state_dict(state["optimizer"])
    return list(state["history"])


def _epoch_seed(seed: int, epoch: int, rank: int = 0) -> int:
    """The leader's is that of a trial by itself; the others draw other numbers for their images."""
    text = f"{seed}/{epoch}/{rank}" if rank else f"{seed}/{epoch}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
