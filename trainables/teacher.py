"""The teacher in training: run live on each batch, or remembered for each view.

It is remembered wherever views are counted and no feature loss asks for its maps. Whether that is so follows
from the trial's configuration and data alone; room on disk and device decides only what is computed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

import trainables.models as models
from trainables.compiled import attempt, compile_static
from trainables.config import Teacher, Training, TrialConfig
from trainables.criterion import MultiScaleHead, Outputs, feature_shapes, with_whole
from trainables.data.dataset import Batch, DataSet, Split
from trainables.data.epochs import Plan
from trainables.data.resident import ResidentSplit
from trainables.engine import TeacherOutputs
from trainables.models.multiscale import pooling_commutes, region_logits
from trainables.models.weights import load_into, load_published, state_sha256
from trainables.precision import autocast
from trainables.remembering import Remembering, check, identity, places
from trainables.store import Store
from trainables.teacher_views import CHUNK, Layout, TeacherViews
from trainables.warm import Warm

WINDOW = 64 * CHUNK
"""Images whose outputs are fetched ahead of the steps that use them."""


class MissingTeacher(Exception):
    """The configuration names a teacher whose weights are not filed in the store."""


Look = Callable[[Tensor], Outputs]
"""Images [B, 3, H, W], channels last -> the teacher's outputs."""


class LiveTeacher:
    """The teacher, run on each batch.

    Args:
        compiled: the same pass, compiled for whole batches; others run eager.
    """

    def __init__(
        self, head: MultiScaleHead, training: Training, device: torch.device, compiled: Look | None = None
    ) -> None:
        self.look = looking(head, training, device)
        self.compiled = compiled
        self.batch_size = training.batch_size
        self.device = device
        self.seconds = 0.0

    def begin(self, split: Split, plan: Plan) -> None:
        """Nothing is known ahead."""

    def __call__(self, batch: Batch) -> Outputs:
        """Outputs for the batch's images; their time is counted on a CPU only, where calls wait for them."""
        began = time.perf_counter()
        images = batch.images.contiguous(memory_format=torch.channels_last)
        look = self.compiled if self.compiled and len(images) == self.batch_size else self.look
        with torch.no_grad():
            outputs = look(images)
        if self.device.type == "cpu":
            self.seconds += time.perf_counter() - began
        return outputs


def looking(head: MultiScaleHead, training: Training, device: torch.device) -> Look:
    """A pass through ``head`` in the precision of ``training``."""

    def look(images: Tensor) -> Outputs:
        with autocast(training, device):
            outputs: Outputs = head(images)
        return outputs

    return look


def compiled_live(
    head: MultiScaleHead,
    config: TrialConfig,
    store: Store,
    data: DataSet,
    device: torch.device,
    warm: Warm,
    say: Callable[[str], None],
) -> Look | None:
    """:func:`looking`, compiled for whole batches, from an earlier trial or made; None where that fails."""
    training, teacher = config.training, config.teacher
    assert teacher is not None

    @torch.no_grad()
    def make() -> Look:
        look = compile_static(looking(head, training, device), device, graphs=False, frozen=True)
        images = torch.zeros(training.batch_size, 3, *data.image_size, device=device)
        look(images.contiguous(memory_format=torch.channels_last))
        return look

    fixed = (head.scales, head.features, training.precision, training.batch_size, data.image_size)
    key = (str(store.root), teacher, data.num_classes, *fixed, str(device))
    return warm.get("live teacher", key, lambda: attempt(f"teacher {teacher.name}", make, say), most=4)


class RememberedTeacher:
    """The teacher's outputs for each view, fetched a window of the epoch ahead."""

    def __init__(self, views: TeacherViews, layout: Layout, scales: tuple[int, ...]) -> None:
        self.views = views
        self.layout = layout
        self.scales = scales

    @property
    def seconds(self) -> float:
        """Time spent so far."""
        return self.views.seconds

    def begin(self, split: Split, plan: Plan) -> None:
        """The epoch's images and their views, in the order of their use."""
        index = split.index.cpu().numpy()[plan.rows]
        self._slots = index * self.views.views + plan.views
        self._at = self._start = self._end = 0

    def __call__(self, batch: Batch) -> Outputs:
        """Outputs for the next images of the epoch."""
        size = len(batch.target)
        if self._at + size > self._end:
            self._start, self._end = self._at, min(self._at + max(WINDOW, size), len(self._slots))
            self._cells = self.views.cells(self._slots[self._start : self._end])
        cells = self._cells[self._at - self._start :][:size]
        self._at += size
        return Outputs(self.layout.regions(cells, self.scales), None)


def open_teacher(
    network: nn.Module,
    config: TrialConfig,
    store: Store,
    data: DataSet,
    device: torch.device,
    room: Remembering,
    warm: Warm,
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
    layout = Layout.of(scales, (map_size[0], map_size[1]), pooling_commutes(network.classifier))
    folder = store.teacher_views(config.teacher.weights)

    def make() -> TeacherViews:
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
        views = TeacherViews(compute, shape, split.views, device, where)
        check(views, room.verify, say)
        return views

    key = (str(folder), str(identity(config, split, layout.kept, str(compiled), device)), room)
    return RememberedTeacher(warm.get("views", key, make, most=4), layout, scales)


def chunks(
    network: nn.Module,
    split: ResidentSplit,
    layout: Layout,
    training: Training,
    device: torch.device,
    *,
    compiled: bool = False,
) -> Callable[[Tensor, Tensor], Tensor]:
    """(raw positions [CHUNK], views [CHUNK]) -> kept logits [CHUNK, cells, K] in float16."""

    def look(images: Tensor) -> Tensor:
        with autocast(training, device):
            final = network.forward_features(images)  # type: ignore[operator]
        return region_logits(final.float(), network.classifier, layout.kept).half()  # type: ignore[arg-type]

    run = compile_static(look, device, graphs=True, frozen=True) if compiled else look

    @torch.no_grad()
    def compute(index: Tensor, view: Tensor) -> Tensor:
        logits: Tensor = run(split.images(index, view).contiguous(memory_format=torch.channels_last))
        return logits.clone() if compiled else logits  # a CUDA graph writes into the same memory again

    if compiled:
        first = torch.zeros(CHUNK, dtype=torch.int64, device=device)
        compute(first + split.index[0], first)
    return compute


def load_teacher(teacher: Teacher, store: Store, data: DataSet, device: torch.device) -> nn.Module:
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
