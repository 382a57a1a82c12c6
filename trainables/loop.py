"""One configuration -> one trained student: epochs, evaluation, reports, checkpoints. Plain torch.

Whatever happened before, a call of :func:`run_trial` reports every epoch of the trial from the first, in
order: those a checkpoint or a finished result already holds are replayed, the rest are trained. The numbers
are the same in each case, to the last bit on a CPU, because all randomness of an epoch comes from (seed,
epoch).
"""

from __future__ import annotations

import hashlib
import io
import math
import platform
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

import trainables.models as models
from trainables import checkpoint
from trainables.config import TrialConfig
from trainables.criterion import Criterion, MultiScaleHead, feature_shapes
from trainables.data.dataset import DataSet
from trainables.engine import Engine, evaluate
from trainables.losses.features import FeatureShapes
from trainables.models.weights import load_into, load_published, state_sha256
from trainables.store import RunFolder, Store

Metrics = dict[str, float]
Report = Callable[[Metrics], None]
EVALUATION_BATCH = 500


class NonFiniteLoss(Exception):
    """The loss became NaN or infinite; the trial has failed and says so."""


class MissingTeacher(Exception):
    """The configuration names a teacher whose weights are not filed in the store."""


def run_trial(
    config: TrialConfig,
    store: Store,
    load_data: Callable[[TrialConfig, torch.device], DataSet],
    report: Report,
    device: torch.device,
    say: Callable[[str], None] = print,
) -> dict[str, Any]:
    """Train, or finish training, or replay ``config``; returns the record that is filed under its key.

    Args:
        load_data: gives the data set; a warm process keeps it.
        report: called with the metrics of each epoch, ``epoch`` counted from 1 among them. Whatever it
            raises ends the trial, which can be gone on with later.
        say: takes a line about a damaged checkpoint.

    Raises:
        NonFiniteLoss: at the end of the epoch in which the loss became NaN or infinite.
        MissingTeacher: the teacher's weights are not in ``store``.
    """
    folder = store.open_run(config)
    with folder.lock():
        result = folder.result()
        if result is not None:
            for metrics in result["history"]:
                report(metrics)
            return result
        return _train(config, store, folder, load_data(config, device), report, device, say)


def _train(
    config: TrialConfig,
    store: Store,
    folder: RunFolder,
    data: DataSet,
    report: Report,
    device: torch.device,
    say: Callable[[str], None],
) -> dict[str, Any]:
    engine = build_engine(config, store, data, device)
    state, problems = checkpoint.load(folder.checkpoint)
    for problem in problems:
        say(problem)
    history = _restore(engine, state) if state is not None else []
    for done in history:
        report(done)
    split = data.train if config.fit == "train" else data.all
    for epoch in range(len(history) + 1, config.training.epochs + 1):
        began = time.perf_counter()
        torch.manual_seed(_epoch_seed(config.seed, epoch))  # dropout and the like
        batches = split.batches(config.training.batch_size, epoch=epoch, seed=config.seed)
        metrics: Metrics = {
            "epoch": epoch,
            **engine.train_epoch(batches, split.steps(config.training.batch_size), epoch),
        }
        metrics["lr"] = engine.optimizer.param_groups[0]["lr"]
        if not math.isfinite(metrics["train/loss"]):
            raise NonFiniteLoss(f"the loss is {metrics['train/loss']} in epoch {epoch}")
        metrics |= _measure(config, engine, data, epoch, device)
        metrics["time/epoch_s"] = time.perf_counter() - began
        history.append(metrics)
        checkpoint.save(folder.checkpoint, _state(engine, history))
        report(metrics)
    return _finish(config, folder, engine.student.network, history, data)


def build_engine(config: TrialConfig, store: Store, data: DataSet, device: torch.device) -> Engine:
    """The engine of ``config`` before its first step; the student's weights come from the seed alone."""
    term, wants_maps = config.method.logit, bool(config.method.features)
    scales = term.scales if term else (1,)
    torch.manual_seed(_epoch_seed(config.seed, 0))
    student = models.build(config.student, data.num_classes, image_size=max(data.image_size))
    teacher = load_teacher(config, store, data, device) if config.teacher is not None else None
    size = max(data.image_size)
    shapes: tuple[FeatureShapes | None, FeatureShapes | None] = (None, None)
    if teacher is not None and wants_maps:
        shapes = (feature_shapes(student, size), feature_shapes(teacher, size))
    criterion = Criterion(config.method, *shapes, num_samples=int(data.all.index.max()) + 1)
    return Engine(
        MultiScaleHead(student, scales, features=wants_maps),
        MultiScaleHead(teacher, scales, features=wants_maps) if teacher is not None else None,
        criterion,
        config.training,
        device,
    )


def load_teacher(config: TrialConfig, store: Store, data: DataSet, device: torch.device) -> nn.Module:
    """The filed teacher of ``config``, in eval mode, without gradients; its weights are checked by hash."""
    assert config.teacher is not None
    path = store.teacher(config.teacher.weights)
    if not path.exists():
        raise MissingTeacher(f"no weights of teacher {config.teacher.name} are filed as {path.name}")
    state = load_published(path)
    if state_sha256(state) != config.teacher.weights:
        raise MissingTeacher(f"{path} does not hold the weights it is named after; delete it and train again")
    network = models.build(config.teacher.name, data.num_classes, image_size=max(data.image_size))
    load_into(network, state)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)


def _measure(config: TrialConfig, engine: Engine, data: DataSet, epoch: int, device: torch.device) -> Metrics:
    """The metrics that are due after ``epoch``."""
    due = {"val": data.validation} if config.fit == "train" else {}
    if config.test == "every" or (config.test == "end" and epoch == config.training.epochs):
        due["test"] = data.test
    metrics: Metrics = {}
    for name, split in due.items():
        batches = split.batches(EVALUATION_BATCH, epoch=None)
        metrics |= evaluate(engine.student.network, batches, name, config.training, device)
    return metrics


def _finish(
    config: TrialConfig, folder: RunFolder, student: nn.Module, history: list[Metrics], data: DataSet
) -> dict[str, Any]:
    """File the student and the record that makes the trial finished."""
    weights = {name: value.detach().cpu().contiguous() for name, value in student.state_dict().items()}
    about = {"name": config.student, "num_classes": data.num_classes, "image_size": max(data.image_size)}
    buffer = io.BytesIO()
    torch.save({"model": weights, **about}, buffer)
    folder.save_student(buffer.getvalue())
    result = {
        "trial_key": config.trial_key,
        "config": config.to_dict(),
        "history": history,
        "weights": state_sha256(weights),
        **about,
        "finished": time.time(),
        "machine": machine(),
    }
    folder.finish(result)
    return result


def machine() -> dict[str, Any]:
    """What the numbers were made on."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "host": platform.node(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "gpu": gpu,
        "threads": torch.get_num_threads(),
    }


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


def _epoch_seed(seed: int, epoch: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed}/{epoch}".encode()).digest()[:7], "big")
