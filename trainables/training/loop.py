"""One configuration -> one trained student: epochs, evaluation, reports, checkpoints. Plain torch.

Whatever happened before, a call of :func:`run_trial` reports every epoch of the trial from the first, in
order: those a checkpoint or a finished result already holds are replayed, the rest are trained. The numbers
are the same in each case, to the last bit on a CPU, because all randomness of an epoch comes from (seed,
epoch).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

import torch
from torch import nn

from trainables.config.trial import Teacher, TrialConfig
from trainables.data.dataset import DataSet
from trainables.distributed.process_group import ALONE, ProcessGroup
from trainables.engine.compilation import Mode
from trainables.engine.device import set_matrix_units
from trainables.engine.engine import Engine
from trainables.engine.evaluation import Metrics, measure
from trainables.engine.process_cache import ProcessCache
from trainables.storage.run_store import RunFolder, RunStore
from trainables.teacher.cache_policy import CachePolicy
from trainables.teacher.opening import load_teacher
from trainables.training import checkpoint
from trainables.training.build import _epoch_seed, build_engine
from trainables.training.result import finish
from trainables.training.timing import EpochTimer

Report = Callable[[Metrics], None]


class NonFiniteLoss(Exception):
    """The loss became NaN or infinite; the trial has failed and says so."""


def run_trial(
    config: TrialConfig,
    store: RunStore,
    load_data: Callable[[TrialConfig, torch.device], DataSet],
    report: Report,
    device: torch.device,
    say: Callable[[str], None] = print,
    *,
    room: CachePolicy | None = None,
    engine: Mode = "auto",
    warm: ProcessCache | None = None,
    group: ProcessGroup = ALONE,
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
        times = EpochTimer(engine)
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
    group: ProcessGroup,
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
