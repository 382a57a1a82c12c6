from __future__ import annotations

import numpy as np
import pytest
import torch

from tests.trainables.data.conftest import imagenet as imagenet
from trainables.config import Data
from trainables.data import load
from trainables.data.dataset import DataSet
from trainables.data.resident import ResidentSplit
from trainables.data.streamed import StreamedSplit
from trainables.teacher.view_slots import CountedSlots, EpochSlots, ViewSlots


def check_an_epoch(source: ViewSlots, split: ResidentSplit | StreamedSplit, epoch: int) -> set[int]:
    """The slots of an epoch, whose images are those of its batches."""
    plan = split.plan(3, epoch=epoch, seed=3)
    slots = source.of(split.index.numpy()[plan.rows], plan.views)
    shown = torch.cat([batch.images for batch in split.batches(3, epoch=epoch, seed=3)])
    order = np.random.default_rng(0).permutation(len(slots))
    assert torch.equal(source.images(torch.from_numpy(slots[order])), shown[order])
    assert slots.min() >= 0
    assert slots.max() < source.count
    return set(slots.tolist())


def test_slots_of_a_resident_set_stand_for_its_views(digits: DataSet) -> None:
    split = digits.train
    assert isinstance(split, ResidentSplit)
    source = CountedSlots(split)
    assert source.count == 100 * 25
    check_an_epoch(source, split, 1)


@pytest.mark.parametrize("augment", ["standard", "none"])
def test_slots_of_a_streamed_set_stand_for_its_images_in_each_epoch(imagenet: Data, augment: str) -> None:
    data = Data(name="imagenet", root=imagenet.root, validation=0.25, augment=augment)  # type: ignore[arg-type]
    split = load(data, "cpu", workers=0).train
    assert isinstance(split, StreamedSplit)
    source = EpochSlots(split, seed=3, epochs=2)
    first, second = (check_an_epoch(source, split, epoch) for epoch in (1, 2))
    assert (first == second) == (augment == "none")
    assert first.isdisjoint(second) == (augment == "standard")


def test_images_of_several_epochs_are_shown_at_once(imagenet: Data) -> None:
    split = load(imagenet, "cpu", workers=0).all
    assert isinstance(split, StreamedSplit)
    source = EpochSlots(split, seed=3, epochs=2)
    slots = source.of(np.array([5, 2, 5, 0]), np.array([1, 2, 2, 1]))
    shown = source.images(torch.from_numpy(slots))
    for slot, image in zip(slots, shown, strict=True):
        assert torch.equal(source.images(torch.tensor([slot]))[0], image)
    assert not torch.equal(shown[0], shown[2])
