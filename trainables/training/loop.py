"""Trains one configuration into one student: epochs, evaluation, reports, checkpoints. Plain torch.

Whatever happened before, a call of :func:`run_trial` reports every epoch of the trial from the first, in
order: those a checkpoint or a finished result already holds are replayed, the rest are trained. The numbers
are the same in each case, to the last bit on a CPU, because all randomness of an epoch comes from (seed,
epoch).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from trainables.config.trial import Teacher, TrialConfig
from trainables.data.dataset import DataSet
from trainables.engine.device import check_device, set_matrix_units
from trainables.engine.engine import Engine
from trainables.engine.evaluation import Metrics, evaluate_due
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.errors import TrialError
from trainables.storage.run_store import RunFolder, RunStore
from trainables.teacher.opening import load_teacher
from trainables.training import checkpoint
from trainables.training.build import build_engine, epoch_seed
from trainables.training.result import finish
from trainables.training.timing import EpochTimer

Report = Callable[[Metrics], None]
LoadData = Callable[[TrialConfig, torch.device], DataSet]


class NonFiniteLoss(TrialError):
    """Says that the loss, or what the student was measured by, became NaN or infinite."""


def run_trial(
    config: TrialConfig, store: RunStore, load_data: LoadData, report: Report, runtime: Runtime
) -> dict[str, Any]:
    """Train, or finish training, or replay ``config``; return the record that is filed under its key.

    The processes of a group call this together. All of them report; only the leader writes files, logs and
    returns the record.

    Args:
        load_data: gives the data set for a configuration and a device; not called for a finished trial.
        report: called with the metrics of each epoch, ``epoch`` counted from 1 among them. Whatever it
            raises ends the trial, which can be gone on with later.

    Raises:
        NonFiniteLoss: at the end of the epoch in which the loss, or a metric, became NaN or infinite.
        MissingTeacher: the teacher's weights, or those given, are not in ``store``.
    """
    group = runtime.group
    opened = store.open_run(config) if group.is_leader else nullcontext(store.run(config.trial_key))
    with opened as folder:
        result = group.broadcast(folder.result() if group.is_leader else None)
        if result is not None:
            for metrics in result["history"]:
                report(metrics)
            return result
        inputs = TrialInputs(config, store, load_data(config, runtime.device))
        if config.weights is not None:
            return _evaluate_given(inputs, folder, report, runtime)
        return _train(inputs, folder, build_engine(inputs, runtime), report)


def _train(inputs: TrialInputs, folder: RunFolder, engine: Engine, report: Report) -> dict[str, Any]:
    config, runtime, group = inputs.config, engine.runtime, engine.runtime.group
    training = config.training
    state, problems = checkpoint.load(folder) if group.is_leader else (None, [])
    for problem in problems:
        runtime.log(problem)
    state = group.broadcast(state)
    history = _restore(engine, state) if state is not None else []
    result: dict[str, Any] = {}
    if len(history) == training.epochs and group.is_leader:
        result = _finish(engine, inputs, folder, history)
    for done in history:
        report(done)
    with checkpoint.CheckpointWriter(folder) as writer:
        return result or _train_epochs(inputs, engine, history, writer, report)


def _train_epochs(
    inputs: TrialInputs,
    engine: Engine,
    history: list[Metrics],
    writer: checkpoint.CheckpointWriter,
    report: Report,
) -> dict[str, Any]:
    """Train what is left after ``history``; return the record, empty in a process that leads no group."""
    config, data, runtime, group = inputs.config, inputs.data, engine.runtime, engine.runtime.group
    training = config.training
    result: dict[str, Any] = {}
    split = data.train if config.fit == "train" else data.all
    for epoch in range(len(history) + 1, training.epochs + 1):
        torch.manual_seed(epoch_seed(config.seed, epoch, group.rank))  # dropout and the like
        times = EpochTimer(engine.teacher)
        metrics: Metrics = {"epoch": epoch, **engine.train_epoch(split, epoch, config.seed)}
        metrics["lr"] = engine.optimizer.lr
        parts, drop_last = training.batch_norm_parts, training.drop_last
        times.trained(split.steps(training.batch_size, parts=parts, drop_last=drop_last))
        if not math.isfinite(metrics["train/loss"]):
            raise NonFiniteLoss(f"the loss is {metrics['train/loss']} in epoch {epoch}")
        with engine.measured_weights():
            metrics |= evaluate_due(config, engine.student.network, data, epoch, runtime)
        _check_finite(metrics, "after the epoch's last steps the student has no numbers left")
        metrics |= times.evaluated()
        history.append(metrics)
        if epoch < training.epochs and group.is_leader:
            writer.save(epoch, _state(engine, history))
        elif group.is_leader:  # before the report: a scheduler may end the trial in it
            writer.wait()
            result = _finish(engine, inputs, writer.folder, history)
        report(metrics)
    return result


def _finish(engine: Engine, inputs: TrialInputs, folder: RunFolder, history: list[Metrics]) -> dict[str, Any]:
    with engine.measured_weights():
        return finish(inputs.config, folder, engine.student.network, history, inputs.data)


def _evaluate_given(
    inputs: TrialInputs, folder: RunFolder, report: Report, runtime: Runtime
) -> dict[str, Any]:
    """Measure a student whose weights are given, and report once, as after a last epoch."""
    config, data = inputs.config, inputs.data
    assert config.weights is not None
    check_device(config.training, runtime.device)
    given = Teacher(name=config.student, weights=config.weights)
    student: nn.Module = load_teacher(given, inputs.store, data, runtime.device, config.large_images)
    times = EpochTimer(None)
    set_matrix_units(config.training)
    metrics = evaluate_due(config, student, data, config.training.epochs, runtime)
    _check_finite({**metrics, "epoch": config.training.epochs}, f"the given {config.student} has no numbers")
    metrics |= {"epoch": config.training.epochs, **times.evaluated()}
    result = finish(config, folder, student, [metrics], data) if runtime.group.is_leader else {}
    report(metrics)
    return result


def _check_finite(metrics: Metrics, why: str) -> None:
    """Raise :class:`NonFiniteLoss` where what was measured is no number, which no file or page takes."""
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise NonFiniteLoss(f"{name} is {value} in epoch {metrics['epoch']:g}: {why}")


def _state(engine: Engine, history: list[Metrics]) -> dict[str, Any]:
    averaged = {} if engine.average is None else {"average": engine.average.state_dict()}
    return {
        "student": engine.student.network.state_dict(),
        "criterion": engine.criterion.state_dict(),
        "optimizer": engine.optimizer.state_dict(),
        **averaged,
        "history": history,
    }


def _restore(engine: Engine, state: Mapping[str, Any]) -> list[Metrics]:
    engine.student.network.load_state_dict(state["student"])
    engine.criterion.load_state_dict(state["criterion"])
    engine.optimizer.load_state_dict(state["optimizer"])
    if engine.average is not None:
        engine.average.load_state_dict(state["average"])
    return list(state["history"])
