"""Builds the engine of a trial: student, teacher, criterion and optimiser on one device."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import torch

import trainables.models as models
from trainables.config.trial import TrialConfig
from trainables.data.dataset import DataSet
from trainables.distributed.checks import check_shared
from trainables.distributed.process_group import ALONE, ProcessGroup
from trainables.engine.compilation import Mode, step_for, worth_compiling
from trainables.engine.criterion import Criterion
from trainables.engine.device import keep_freed_memory, set_matrix_units
from trainables.engine.engine import Engine, TeacherOutputs
from trainables.engine.head import MultiScaleHead, feature_shapes
from trainables.engine.process_cache import ProcessCache
from trainables.losses.features import FeatureShapes
from trainables.storage.run_store import RunStore
from trainables.teacher.cache_policy import CachePolicy
from trainables.teacher.opening import load_teacher, open_teacher


def build_engine(
    config: TrialConfig,
    store: RunStore,
    data: DataSet,
    device: torch.device,
    *,
    room: CachePolicy | None = None,
    engine: Mode = "auto",
    warm: ProcessCache | None = None,
    say: Callable[[str], None] = print,
    group: ProcessGroup = ALONE,
) -> Engine:
    """The engine of ``config`` before its first step; all initial weights come from the seed alone."""
    size, term, wants_maps = max(data.image_size), config.method.logit, bool(config.method.features)
    warm = warm or ProcessCache()
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
            network, config, store, data, device, room or CachePolicy(), warm, say, compiled
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


def _epoch_seed(seed: int, epoch: int, rank: int = 0) -> int:
    """The leader's is that of a trial by itself; the others draw other numbers for their images."""
    text = f"{seed}/{epoch}/{rank}" if rank else f"{seed}/{epoch}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big")
