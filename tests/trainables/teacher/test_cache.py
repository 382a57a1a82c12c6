from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import trainables.models as models
from tests.trainables.trials import CPU
from trainables.config import Training
from trainables.data.dataset import DataSet
from trainables.data.resident import ResidentSplit
from trainables.models.multiscale import region_logits
from trainables.teacher.cache import CHUNK, CacheLayout, TeacherCache
from trainables.teacher.cache_memory import ViewMemory
from trainables.teacher.cached import chunk_forward
from trainables.teacher.device_share import DeviceShare
from trainables.teacher.view_slots import CountedSlots

pytestmark = pytest.mark.usefixtures("one_thread")


def network(name: str) -> nn.Module:
    torch.manual_seed(5)
    built = models.build(name, 10).requires_grad_(False)
    built(torch.randn(32, 3, 32, 32))  # running statistics of its own
    return built.eval().to(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("scales", "map_size", "commutes", "kept"),
    [
        ((1,), (8, 8), True, (4,)),
        ((1, 2), (4, 4), True, (4,)),
        ((1, 4, 2), (8, 8), True, (4,)),
        ((1, 2), (2, 2), True, (2,)),
        ((1, 3), (9, 6), True, (3,)),
        ((1, 2, 8), (8, 8), True, (8,)),
        ((1, 2, 4), (2, 2), True, (1, 2, 4)),
        ((1, 4, 3), (12, 12), True, (1, 3, 4)),
        ((1, 2), (7, 7), True, (1, 2)),
        ((1, 2), (8, 8), False, (1, 2)),
    ],
)
def test_one_grid_is_kept_where_it_gives_all_scales(
    scales: tuple[int, ...], map_size: tuple[int, int], commutes: bool, kept: tuple[int, ...]
) -> None:
    layout = CacheLayout.of(scales, map_size, commutes)
    assert layout.kept == kept
    final = torch.randn(3, 6, *map_size, generator=torch.Generator().manual_seed(0))
    classifier = nn.Linear(6, 5)
    cells = region_logits(final, classifier, kept)
    assert cells.shape[1] == layout.cells
    torch.testing.assert_close(layout.regions(cells, scales), region_logits(final, classifier, scales))


@pytest.mark.parametrize("precision", ["float32", "bf16"])
@pytest.mark.parametrize("name", ["resnet8", "ShuffleV2", "MobileNetV2"])
def test_outputs_do_not_depend_on_the_other_images_of_a_chunk(
    digits: DataSet, name: str, precision: str
) -> None:
    split = digits.all
    assert isinstance(split, ResidentSplit)
    training = Training(precision=precision)  # type: ignore[arg-type]
    layout = CacheLayout((4,)) if name == "ShuffleV2" else CacheLayout((1, 2))
    compute = chunk_forward(network(name), digits.image_size, layout, training, CPU)
    images = CountedSlots(split).images(torch.arange(CHUNK) * 26)
    images = images.contiguous(memory_format=torch.channels_last)
    whole = compute(images)
    order = torch.randperm(CHUNK, generator=torch.Generator().manual_seed(1))
    assert torch.equal(compute(images[order]), whole[order])
    few = torch.arange(7).repeat(10)[:CHUNK]
    assert torch.equal(compute(images[few]), whole[few])


class Slots:
    """Stands for a data set: the image of a slot is a pixel with its number."""

    count = 1000
    shown: ClassVar[list[Any]] = []

    def of(self, index: NDArray[np.int64], view: NDArray[np.int64]) -> NDArray[np.int64]:
        return index + view

    def images(self, slots: Tensor) -> Tensor:
        return slots.float()[:, None, None, None]


def memory(slots: int, entries: int = 1000) -> ViewMemory:
    """Room for so many entries of (2, 3)."""
    return ViewMemory(slots, (2, 3), CPU, DeviceShare(entries * 12, free=lambda: 1 << 30))


class Counting:
    """Stands for a teacher: tells each slot by its logits, and counts its passes."""

    def __init__(self) -> None:
        self.passes = 0

    def __call__(self, images: Tensor) -> Tensor:
        assert len(images) == CHUNK
        self.passes += 1
        return images[:, :, 0].half().expand(CHUNK, 2, 3)


def test_only_missing_views_are_computed_in_whole_chunks() -> None:
    teacher = Counting()
    views = TeacherCache(teacher, Slots(), (2, 3), CPU, [memory(1000)])
    first, more = torch.arange(0, 100).numpy(), torch.arange(50, 250).flip(0).numpy()
    assert torch.equal(views.cells(first)[:, 0, 0], torch.arange(0.0, 100).half())
    assert (teacher.passes, views.computed) == (2, 100)
    assert torch.equal(views.cells(more)[:, 1, 2], torch.arange(50.0, 250).flip(0).half())
    assert (teacher.passes, views.computed) == (2 + 3, 250)
    views.cells(more)
    assert teacher.passes == 5


def test_images_that_are_at_hand_are_not_made_again() -> None:
    teacher = Counting()
    views = TeacherCache(teacher, Slots(), (2, 3), CPU, [memory(1000, 100)])
    slots = torch.arange(80)
    for _ in range(2):  # of slot n the image 2 n is at hand
        cells = views.cells(slots.numpy(), (2 * slots).float()[:, None, None, None])
        assert torch.equal(cells[:, 0, 0], (2 * slots).half())
    assert teacher.passes == 2
    more = torch.arange(40, 120)
    cells = views.cells(more.numpy(), (2 * more).float()[:, None, None, None])
    assert torch.equal(cells[:, 0, 0], (2 * more).half())
    assert teacher.passes == 3


def test_without_a_place_all_views_are_computed_each_time() -> None:
    teacher = Counting()
    views = TeacherCache(teacher, Slots(), (2, 3), CPU)
    for _ in range(2):
        assert torch.equal(views.cells(torch.arange(70).numpy())[:, 0, 0], torch.arange(70.0).half())
    assert teacher.passes == 4


def test_nearer_places_learn_from_farther_ones() -> None:
    teacher = Counting()
    far, near = (memory(100) for _ in range(2))
    slots = torch.arange(64).numpy()
    TeacherCache(teacher, Slots(), (2, 3), CPU, [far]).cells(slots)
    expected = TeacherCache(teacher, Slots(), (2, 3), CPU, [near, far]).cells(slots)
    found, values = near.read(slots)
    assert found.all()
    assert torch.equal(values, expected)
    assert teacher.passes == 1


def test_verification_finds_what_differs() -> None:
    place = memory(100)
    views = TeacherCache(Counting(), Slots(), (2, 3), CPU, [place])
    slots = torch.arange(80).numpy()
    views.cells(slots)
    assert views.verify(slots) == (80, 0, 0.0, 79.0)
    place.write(slots[5:6], torch.full((1, 2, 3), 5.5).half())
    assert views.verify(slots) == (80, 1, 0.5, 79.0)
    assert views.verify(torch.arange(90, 99).numpy()).checked == 0
