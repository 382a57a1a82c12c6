"""Builds the engine of a trial: student, teacher, criterion and optimiser on one device."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import torch

import trainables.models as models
from trainables.config.trial import TrialConfig
from trainables.data.dataset import DataSet
from trainables.data.strong_view import StrongViews
from trainables.distributed.checks import check_shared
from trainables.engine.allocator import keep_freed_memory
from trainables.engine.compilation import worth_compiling
from trainables.engine.compiled_network import network_signature
from trainables.engine.compiled_step import CompiledStep, compiled_step, loss_signature
from trainables.engine.criterion import Criterion
from trainables.engine.device import check_device, set_matrix_units
from trainables.engine.engine import Engine
from trainables.engine.head import MultiScaleHead, feature_shapes
from trainables.engine.optimizers import OPTIMIZERS
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.engine.step import SecondView, TeacherOutputs
from trainables.losses.features import FeatureShapes, feature_loss_class
from trainables.losses.registry import logit_loss_spec
from trainables.teacher.opening import live_teacher, load_initial, load_teacher, open_teacher


def build_engine(inputs: TrialInputs, runtime: Runtime) -> Engine:
    """Return the engine of a trial before its first step; all initial weights come from the seed alone."""
    config, data, device, group = inputs.config, inputs.data, runtime.device, runtime.group
    size, form, term = max(data.image_size), config.large_images, config.method.logit
    maps = config.method.maps if config.method.features else None
    split = data.train if config.fit == "train" else data.all
    bases = [] if term is None else [term.base]
    features = [added.name for added in config.method.features]
    check_shared(bases, features, config.training, group.size, [len(split)])
    steps = split.steps(config.training.batch_size)
    compiled = worth_compiling(config.training, steps, runtime)
    two_views = term is not None and logit_loss_spec(term.base).views == 2
    recorded = runtime.records and recordable(config, len(split))
    # networks as graphs: not for a second view, whose maps would be written over the first one's
    apart = runtime.records and not recorded and not two_views
    check_device(config.training, device)
    set_matrix_units(config.training)
    if device.type == "cpu":
        keep_freed_memory()
    torch.manual_seed(epoch_seed(config.seed, 0))
    shape: Any = {"image_size": size, "large_images": form, "drop_path": config.training.drop_path}
    student = models.build(config.student, data.num_classes, **shape)
    if config.initial is not None:
        load_initial(student, config.student, config.initial, inputs.store)
    teacher: TeacherOutputs | None = None
    second: SecondView | None = None
    shapes: tuple[FeatureShapes | None, FeatureShapes | None] = (None, None)
    if (filed := config.teacher) is not None:
        key = (str(inputs.store.root), filed, data.num_classes, size, form, str(device))
        network = runtime.process_cache.get(
            "teacher", key, lambda: load_teacher(filed, inputs.store, data, device, form), capacity=4
        )
        teacher = open_teacher(network, inputs, runtime, compiled=compiled, graphs=apart)
        if two_views:
            looking = live_teacher(network, inputs, runtime, compiled=compiled)
            second = SecondView(StrongViews(*split.normalisation), looking)
        if maps is not None:
            shapes = (feature_shapes(student, size, maps), feature_shapes(network, size, maps))
    torch.manual_seed(epoch_seed(config.seed, 0))  # loading a teacher draws numbers, keeping one does not
    smoothing = config.training.label_smoothing
    criterion = Criterion(config.method, *shapes, images=split.index, label_smoothing=smoothing)
    scales, pooling = config.method.regions
    head = MultiScaleHead(student, scales, features=maps, pooling=pooling)
    head.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    step = None
    passes = OPTIMIZERS[config.training.optimizer].passes  # gone through twice, a graph is not compiled
    if compiled and group.size == config.training.batch_norm_parts == passes == 1:
        step = compiled_step(inputs, head, criterion, runtime, graphs=apart)
    student_head = step.begin_trial(head, criterion) if step else head
    engine = Engine(student_head, teacher, criterion, config.training, runtime, step, second)
    if not recorded:
        return engine
    what = f"{config.student} by {config.method.label}"
    # what the key of the split stands for lives as long as the engine
    signature = (recorded_signature(config, data, runtime, step), split.device_key)
    kept = runtime.process_cache.get("recorded", signature, lambda: engine.record(split, what), capacity=8)
    return kept if kept is engine else kept.take_over(engine)


def recordable(config: TrialConfig, images: int) -> bool:
    """Tell whether a step of ``config`` may be recorded: nothing in it happens in Python from step to step.

    Nobody knows what a loss of the user's own does there, such as counting its calls.
    """
    term = config.method.logit
    built_in = term is None or term.code is None
    losses = [feature_loss_class(feature.name) for feature in config.method.features]
    whole = images >= config.training.batch_size
    return built_in and whole and all(loss.capturable for loss in losses)


NOT_RECORDED = frozenset(
    ("lr", "epochs", "schedule", "milestones", "lr_decay", "lr_warmup_epochs", "mixup", "cutmix")
)
"""Settings of optimisation that a step reads from tables: its learning rate, and how its images are mixed."""


def recorded_signature(
    config: TrialConfig, data: DataSet, runtime: Runtime, compiled: CompiledStep | None
) -> str:
    """Return all of ``config`` that is built into its recorded step; the rest are numbers on the device."""
    settings = {k: v for k, v in dataclasses.asdict(config.training).items() if k not in NOT_RECORDED}
    method, term = config.method, config.method.logit
    options: list[Any] = [(feature.name, sorted(feature.options.items())) for feature in method.features]
    if term is not None and not (compiled is not None and compiled.fuses_loss):
        options.append(sorted(term.options.items()))
    networks = [network_signature(config, data, runtime.device), config.teacher, compiled is not None]
    return repr([*networks, settings, loss_signature(config), options])


def epoch_seed(seed: int, epoch: int, rank: int = 0) -> int:
    """Return the seed of what a process draws in an epoch.

    The leader's is that of a trial by itself; the others draw other numbers for their images.
    """
    text = f"{seed}/{epoch}/{rank}" if rank else f"{seed}/{epoch}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
