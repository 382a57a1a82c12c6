"""Builds the engine of a trial: student, teacher, criterion and optimiser on one device."""

from __future__ import annotations

import hashlib
from typing import Any

import torch

import trainables.models as models
from trainables.distributed.checks import check_shared
from trainables.engine.allocator import keep_freed_memory
from trainables.engine.compilation import compiled_step, worth_compiling
from trainables.engine.criterion import Criterion
from trainables.engine.device import check_device, set_matrix_units
from trainables.engine.engine import Engine, TeacherOutputs
from trainables.engine.head import MultiScaleHead, feature_shapes
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.losses.features import FeatureShapes
from trainables.teacher.opening import load_initial, load_teacher, open_teacher


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
    shapes: tuple[FeatureShapes | None, FeatureShapes | None] = (None, None)
    if (filed := config.teacher) is not None:
        key = (str(inputs.store.root), filed, data.num_classes, size, form, str(device))
        network = runtime.process_cache.get(
            "teacher", key, lambda: load_teacher(filed, inputs.store, data, device, form), capacity=4
        )
        teacher = open_teacher(network, inputs, runtime, compiled=compiled)
        if maps is not None:
            shapes = (feature_shapes(student, size, maps), feature_shapes(network, size, maps))
    torch.manual_seed(epoch_seed(config.seed, 0))  # loading a teacher draws numbers, keeping one does not
    smoothing = config.training.label_smoothing
    criterion = Criterion(config.method, *shapes, images=split.index, label_smoothing=smoothing)
    scales, pooling = (term.scales, term.pooling) if term else ((1,), "map")
    head = MultiScaleHead(student, scales, features=maps, pooling=pooling)
    head.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    step = None
    if compiled and group.size == config.training.batch_norm_parts == 1:
        step = compiled_step(config, data, head, criterion, runtime)
    student_head = step.load_student(head) if step else head
    return Engine(student_head, teacher, criterion, config.training, runtime, step)


def epoch_seed(seed: int, epoch: int, rank: int = 0) -> int:
    """Return the seed of what a process draws in an epoch.

    The leader's is that of a trial by itself; the others draw other numbers for their images.
    """
    text = f"{seed}/{epoch}/{rank}" if rank else f"{seed}/{epoch}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
