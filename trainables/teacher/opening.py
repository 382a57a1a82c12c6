"""The teacher in training: run live on each batch, or remembered for each view.

It is remembered wherever views are counted and no feature loss asks for its maps. Whether that is so follows
from the trial's configuration and data alone; room on disk and device decides only what is computed again.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

import trainables.models as models
from trainables.config.trial import Teacher, TrialConfig
from trainables.data.dataset import DataSet
from trainables.data.resident import ResidentSplit
from trainables.engine.compilation import attempt
from trainables.engine.engine import TeacherOutputs
from trainables.engine.head import MultiScaleHead, feature_shapes, with_whole
from trainables.engine.process_cache import ProcessCache
from trainables.models.multiscale import pooling_commutes
from trainables.models.weights import load_into, load_published, state_sha256
from trainables.storage.run_store import RunStore
from trainables.teacher.cache import CacheLayout, TeacherCache
from trainables.teacher.cache_policy import CachePolicy, check, identity, places
from trainables.teacher.cached import CachedTeacher, chunks
from trainables.teacher.live import LiveTeacher, compiled_live


class MissingTeacher(Exception):
    """The configuration names a teacher whose weights are not filed in the store."""


def open_teacher(
    network: nn.Module,
    config: TrialConfig,
    store: RunStore,
    data: DataSet,
    device: torch.device,
    room: CachePolicy,
    warm: ProcessCache,
    say: Callable[[str], None],
    compiled: bool = False,
) -> TeacherOutputs:
    """The source of the teacher's outputs for ``config``; ``network`` is the teacher itself."""
    term, wants_maps = config.method.logit, bool(config.method.features)
    scales = with_whole(term.scales if term else (1,))
    if wants_maps or not isinstance(data.all, ResidentSplit):
        head = MultiScaleHead(network, scales, features=wants_maps, full_precision=True)
        run = compiled_live(head, config, store, data, device, warm, say) if compiled else None
        return LiveTeacher(head, config.training, device, run)
    split = data.all
    assert config.teacher is not None
    _, *map_size = feature_shapes(network, max(data.image_size)).maps[-1]
    layout = CacheLayout.of(scales, (map_size[0], map_size[1]), pooling_commutes(network.classifier))
    folder = store.teacher_views(config.teacher.weights)

    def make() -> TeacherCache:
        shape = (layout.cells, data.num_classes)
        compute, engine = None, "eager"
        if compiled:
            compute = attempt(
                f"teacher {config.teacher and config.teacher.name}",
                lambda: chunks(network, split, layout, config.training, device, compiled=True),
                say,
            )
        if compute is not None:
            engine = "compiled"
        else:
            compute = chunks(network, split, layout, config.training, device)
        about = identity(config, split, layout.kept, engine, device)
        where = places(folder, about, shape, split.population * split.views, room, device)
        views = TeacherCache(compute, shape, split.views, device, where)
        check(views, room.verify, say)
        return views

    key = (str(folder), str(identity(config, split, layout.kept, str(compiled), device)), room)
    return CachedTeacher(warm.get("views", key, make, most=4), layout, scales)


def load_teacher(teacher: Teacher, store: RunStore, data: DataSet, device: torch.device) -> nn.Module:
    """The filed ``teacher``, in eval mode, without gradients; its weights are checked by hash."""
    path = store.teacher(teacher.weights)
    if not path.exists():
        raise MissingTeacher(f"no weights of teacher {teacher.name} are filed as {path.name}")
    state = load_published(path)
    if state_sha256(state) != teacher.weights:
        raise MissingTeacher(f"{path} does not hold the weights it is named after; delete it and train again")
    network = models.build(teacher.name, data.num_classes, image_size=max(data.image_size))
    load_into(network, state)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)
