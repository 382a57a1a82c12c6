"""Opens the teacher of a trial: run live on each batch, or cached for each view.

It is cached wherever images are not mixed and no feature loss asks for its maps: by image and view where
views are counted, else by seed, epoch and image. On strong views, none of which comes twice, it is live.
Whether that is so follows from the trial's configuration and data alone; room on disk and device decides
only what is computed again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

import trainables.models as models
from trainables.config.method import MapKind
from trainables.config.trial import LargeImages, Teacher, TrialConfig
from trainables.data.dataset import DataSet
from trainables.data.resident import ResidentSplit
from trainables.data.split import Split
from trainables.engine.compilation import try_compile_graphs
from trainables.engine.compile_artifacts import kept_artifacts
from trainables.engine.head import MultiScaleHead, feature_shapes, pooled_scales
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.engine.step import TeacherOutputs
from trainables.errors import TrialError
from trainables.models.backbone import Backbone
from trainables.models.multiscale import pooling_commutes
from trainables.models.resized_weights import resized
from trainables.models.weights import load_into, load_published, state_sha256
from trainables.storage.run_store import RunStore
from trainables.teacher.cache import CHUNK, CacheLayout, TeacherCache
from trainables.teacher.cache_policy import check_sample, identity, open_backends
from trainables.teacher.cached import CachedTeacher, chunk_forward
from trainables.teacher.live import LiveTeacher, compiled_forward
from trainables.teacher.streamed import StreamedTeacher
from trainables.teacher.view_slots import CountedSlots, EpochSlots, ViewSlots

if TYPE_CHECKING:
    from trainables.data.streamed import StreamedSplit


class MissingTeacher(TrialError):
    """Says that the configuration names a teacher whose weights are not filed in the run store."""


def open_teacher(
    network: nn.Module,
    inputs: TrialInputs,
    runtime: Runtime,
    *,
    compiled: bool = False,
    graphs: bool = False,
) -> TeacherOutputs:
    """Return the source of a trial's teacher outputs.

    Args:
        network: the teacher itself.
        compiled: whether its passes are compiled.
        graphs: whether those of a live teacher, compiled, become CUDA graphs of their own.
    """
    config, split, device = inputs.config, inputs.data.all, runtime.device
    maps = config.method.maps if config.method.features else None
    scales, pooling = config.method.regions
    if maps is not None or config.training.mixes:
        return live_teacher(network, inputs, runtime, maps=maps, compiled=compiled, graphs=graphs)
    assert config.teacher is not None
    _, height, width = feature_shapes(network, max(inputs.data.image_size)).final
    pooled = pooled_scales(scales, pooling)
    layout = CacheLayout.of(pooled, (height, width), pooling_commutes(network))
    folder = inputs.store.teacher_views(config.teacher.weights)
    source = view_slots(split, config)
    about = identity(config, source, layout.kept, str(compiled), device)
    views = runtime.process_cache.get(
        "views",
        (str(folder), str(about), source.count, runtime.cache_policy),
        lambda: _open_cache(network, layout, source, inputs, runtime, compiled=compiled),
        capacity=4,
        drop=TeacherCache.release,  # a recorded step may know it longer
    )
    kind = CachedTeacher if isinstance(source, CountedSlots) else StreamedTeacher
    return kind(views, layout, scales, pooling)


def live_teacher(
    network: nn.Module,
    inputs: TrialInputs,
    runtime: Runtime,
    *,
    maps: MapKind | None = None,
    compiled: bool = False,
    graphs: bool = False,
) -> LiveTeacher:
    """Return the teacher ``network``, to be run on each batch: its regions, and ``maps`` of that kind."""
    scales, pooling = inputs.config.method.regions
    head = MultiScaleHead(network, scales, features=maps, full_precision=True, pooling=pooling)
    forward = compiled_forward(head, inputs, runtime, graphs=graphs) if compiled else None
    return LiveTeacher(head, inputs.config.training, runtime.device, forward)


def view_slots(split: Split, config: TrialConfig) -> ViewSlots:
    """Return how the images that ``config`` shows its teacher are numbered."""
    if isinstance(split, ResidentSplit):
        return CountedSlots(split)
    return EpochSlots(cast("StreamedSplit", split), config.seed, config.training.epochs)


def _open_cache(
    network: nn.Module,
    layout: CacheLayout,
    source: ViewSlots,
    inputs: TrialInputs,
    runtime: Runtime,
    *,
    compiled: bool,
) -> TeacherCache:
    """Return the cache of a teacher's outputs, after a look at what earlier processes left in it."""
    config, size, device = inputs.config, inputs.data.image_size, runtime.device
    assert config.teacher is not None
    folder = inputs.store.teacher_views(config.teacher.weights)
    shape = (layout.cells, inputs.data.num_classes)
    compute = compiled_pass(network, layout, inputs, runtime) if compiled else None
    engine = "eager" if compute is None else "compiled"
    compute = compute or chunk_forward(network, size, layout, config.training, device)
    about = identity(config, source, layout.kept, engine, device)
    again = isinstance(source, CountedSlots)
    backends = open_backends(folder, about, shape, source.count, runtime, again=again)
    views = TeacherCache(compute, source, shape, device, backends)
    check_sample(views, runtime.cache_policy.verify, runtime.log)
    return views


def compiled_pass(
    network: nn.Module, layout: CacheLayout, inputs: TrialInputs, runtime: Runtime
) -> Callable[[Tensor], Tensor] | None:
    """Return :func:`chunk_forward`, compiled for an earlier trial, of whatever seed, or now.

    None where it cannot be compiled.
    """
    config, data, device = inputs.config, inputs.data, runtime.device
    teacher = config.teacher
    assert teacher is not None
    form = (data.num_classes, data.image_size, config.large_images)
    key = (str(inputs.store.root), teacher, layout, config.training.precision, *form, str(device))

    def compiled(graphs: bool) -> Callable[[Tensor], Tensor]:
        with kept_artifacts(f"teacher {key[1:]} {CHUNK} {graphs}", inputs.store, runtime):
            about = (network, data.image_size, layout, config.training, device)
            return chunk_forward(*about, compiled=True, graphs=graphs)

    def attempt() -> Callable[[Tensor], Tensor] | None:
        graphs = device.type == "cuda"
        return try_compile_graphs(f"teacher {teacher.name}", compiled, runtime.log, graphs=graphs)

    return runtime.process_cache.get("teacher pass", key, attempt, capacity=4)


def load_teacher(
    teacher: Teacher,
    store: RunStore,
    data: DataSet,
    device: torch.device,
    large_images: LargeImages = "pooled",
) -> nn.Module:
    """Return the filed ``teacher``, in eval mode, without gradients; its weights are checked by hash."""
    state = filed_state(teacher, store)
    size = max(data.image_size)
    network = models.build(teacher.name, data.num_classes, image_size=size, large_images=large_images)
    load_into(network, state)
    network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    return network.eval().requires_grad_(False)


def filed_state(filed: Teacher, store: RunStore) -> dict[str, Tensor]:
    """Return the weights that are filed under their hash; :class:`MissingTeacher` where they are not."""
    path = store.teacher(filed.weights)
    if not path.exists():
        raise MissingTeacher(f"no weights of teacher {filed.name} are filed as {path.name}")
    state = load_published(path)
    if state_sha256(state) != filed.weights:
        raise MissingTeacher(f"{path} does not hold the weights it is named after; delete it and train again")
    return state


def load_initial(network: Backbone, name: str, weights: str, store: RunStore) -> None:
    """Load filed weights into a network that is to be trained, all but its classifier's."""
    state = resized(filed_state(Teacher(name=name, weights=weights), store), network)
    own, new = network.state_dict(), network.classifier_weights
    load_into(network, {key: own[key] if key in new else state.get(key, own[key]) for key in own})
