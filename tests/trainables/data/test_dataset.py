"""What training sees: the (seed, epoch) contract, stable indices, restriction, remembered views."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from trainables.config import Data
from trainables.data import Batch, DataError, DataSet, RawData, Split, load, load_raw, prepare
from trainables.data.resident import ResidentSplit

Pack = Callable[..., Data]


def joined(batches: Iterable[Batch]) -> Batch:
    return Batch(*(torch.cat(part) for part in zip(*batches, strict=True)))


@pytest.fixture
def data(pack: Pack, arrays: dict[str, Any]) -> Data:
    return pack(arrays, options={"padding": 2})


@pytest.fixture
def loaded(data: Data) -> DataSet:
    return load(data, "cpu")


def test_shapes_and_types(loaded: DataSet) -> None:
    assert (loaded.num_classes, loaded.classes, loaded.image_size) == (3, ("ant", "bee", "cat"), (8, 8))
    assert [len(part) for part in (loaded.train, loaded.validation, loaded.test, loaded.all)] == [
        48,
        12,
        12,
        60,
    ]
    assert (loaded.train.views, loaded.test.views) == (50, 1)
    batch = next(loaded.train.batches(16, epoch=0, seed=0))
    assert (batch.images.shape, batch.images.dtype) == ((16, 3, 8, 8), torch.float32)
    for part in batch[1:]:
        assert (part.shape, part.dtype) == ((16,), torch.int64)


def test_validation_is_never_trained_on(loaded: DataSet) -> None:
    train, validation, both = (
        set(part.index.tolist()) for part in (loaded.train, loaded.validation, loaded.all)
    )
    assert not train & validation
    assert train | validation == both == set(range(60))
    seen = joined(loaded.train.batches(16, epoch=3, seed=1)).index
    assert set(seen.tolist()) == train


def test_an_epoch_is_the_same_whatever_came_before(loaded: DataSet, data: Data) -> None:
    list(loaded.train.batches(16, epoch=0, seed=5))
    torch.manual_seed(1)
    after, fresh = (joined(part.train.batches(16, epoch=1, seed=5)) for part in (loaded, load(data, "cpu")))
    for ours, theirs in zip(after, fresh, strict=True):
        assert torch.equal(ours, theirs)
    other = joined(loaded.train.batches(16, epoch=2, seed=5))
    assert not torch.equal(other.index, after.index)


def test_training_leaves_the_global_generators_alone(loaded: DataSet) -> None:
    before = torch.get_rng_state()
    list(loaded.train.batches(16, epoch=0, seed=0))
    assert torch.equal(torch.get_rng_state(), before)


def test_evaluation_is_in_order_and_plain(loaded: DataSet, arrays: dict[str, Any], data: Data) -> None:
    raw = load_raw(data)
    batch = joined(loaded.train.batches(7, epoch=None))
    assert torch.equal(batch.target, loaded.train.labels)
    assert torch.equal(batch.index, loaded.train.index)
    pixels = torch.from_numpy(arrays["train_images"][batch.index.numpy()]).permute(0, 3, 1, 2) / 255
    expected = (pixels - torch.tensor(raw.mean)[:, None, None]) / torch.tensor(raw.std)[:, None, None]
    torch.testing.assert_close(batch.images, expected, rtol=0, atol=1e-5)


def test_any_view_can_be_made_again(loaded: DataSet) -> None:
    train = loaded.train
    assert isinstance(train, ResidentSplit)
    batch = joined(train.batches(16, epoch=4, seed=0))
    assert len(set(batch.view.tolist())) > 20
    assert torch.equal(train.images(batch.index, batch.view), batch.images)
    shown = joined(train.batches(16, epoch=None, view=7))
    assert torch.equal(train.images(shown.index, shown.view), shown.images)
    assert set(shown.view.tolist()) == {7}
    assert torch.equal(loaded.all.images(batch.index, batch.view), batch.images)  # type: ignore[attr-defined]


def test_a_view_that_does_not_exist_is_refused(loaded: DataSet) -> None:
    with pytest.raises(ValueError, match="view 50 is not one of 50"):
        loaded.train.batches(16, epoch=None, view=50)
    with pytest.raises(ValueError, match="a training epoch draws its views"):
        loaded.train.batches(16, epoch=0, view=1)


def test_indices_stay_when_the_part_in_use_changes(loaded: DataSet, data: Data) -> None:
    piece = load(replace(data, classes=(2, 0), fraction=0.5, validation=0.4), "cpu")
    batch = joined(piece.train.batches(8, epoch=0, seed=0))
    assert piece.classes == ("cat", "ant")
    assert torch.equal(batch.index % 3, torch.tensor([2, 0])[batch.target])
    again = loaded.all.images(batch.index, batch.view)  # type: ignore[attr-defined]
    assert torch.equal(again, batch.images)
    test = joined(piece.test.batches(8, epoch=None))
    assert torch.equal(test.index % 3, torch.tensor([2, 0])[test.target])


def test_without_augmentation_there_is_one_view(data: Data) -> None:
    train = load(replace(data, augment="none"), "cpu").train
    assert train.views == 1
    batch = joined(train.batches(16, epoch=0, seed=0))
    plain = joined(train.batches(16, epoch=None))
    order = batch.index.argsort()
    assert torch.equal(batch.images[order], plain.images)


@pytest.mark.parametrize(
    "asked", [{"augment_strength": 0.4}, {"augment_strength": 1.5}, {"augment": "none"}, {}], ids=str
)
def test_an_augmented_set_is_the_one_that_is_loaded_so_in_the_memory_of_the_usual_one(
    loaded: DataSet, data: Data, asked: dict[str, Any]
) -> None:
    wanted = replace(data, **asked)
    shared, fresh = (
        loaded.augmented_as(replace(data, augment="none")).augmented_as(wanted),
        load(wanted, "cpu"),
    )
    for name in ("train", "all", "validation", "test"):
        ours, theirs = getattr(shared, name), getattr(fresh, name)
        assert (ours.views, ours.plain, ours.shown) == (theirs.views, theirs.plain, theirs.shown)
        assert (
            ours._store.untyped_storage().data_ptr()
            == getattr(loaded, name)._store.untyped_storage().data_ptr()
        )
        for epoch in (None, 1):
            pairs = zip(ours.batches(16, epoch=epoch), theirs.batches(16, epoch=epoch), strict=True)
            assert all(torch.equal(*parts) for batches in pairs for parts in zip(*batches, strict=True))


def test_what_a_recording_knows_of_a_split_is_the_same_as_long_as_its_views_are(
    loaded: DataSet, data: Data
) -> None:
    def key(**asked: Any) -> Any:
        return loaded.augmented_as(replace(data, **asked)).train.device_key

    assert key(augment_strength=0.3) == key(augment_strength=0.0) == loaded.train.device_key
    assert len({key(), key(augment="none"), key(augment_strength=2.0), loaded.all.device_key}) == 4


def test_an_augmentation_that_the_images_cannot_have_is_refused(loaded: DataSet, data: Data) -> None:
    plain = load(replace(data, options={"padding": 0, "flip": False}), "cpu")
    with pytest.raises(DataError, match=r"augment_strength: 0.5 means nothing"):
        plain.augmented_as(replace(data, augment_strength=0.5))


def test_steps_count_the_batches(loaded: DataSet) -> None:
    for size in (2, 7, 16, 47, 48, 100):
        assert loaded.train.steps(size) == len(list(loaded.train.batches(size, epoch=0, seed=0)))


def test_workers_share_an_epoch(loaded: DataSet) -> None:
    shares = [joined(loaded.train.batches(16, epoch=0, seed=0, worker=(rank, 2))) for rank in range(2)]
    assert sorted(torch.cat([share.index for share in shares]).tolist()) == loaded.train.index.tolist()
    assert loaded.train.steps(16) == 3


def test_shared_arrays_may_be_read_only(data: Data) -> None:
    raw = load_raw(data)
    for name in RawData.__slots__:
        value = getattr(raw, name)
        if isinstance(value, np.ndarray):
            value.flags.writeable = False
    part: Split = prepare(raw, data, "cpu").train
    assert len(list(part.batches(16, epoch=0, seed=0))) == 3


def test_of_an_abandoned_pass_nothing_stays(loaded: DataSet) -> None:
    next(loaded.train.batches(16, epoch=0, seed=0))
    first = next(loaded.train.batches(16, epoch=0, seed=0))
    assert torch.equal(first.index, next(loaded.train.batches(16, epoch=0, seed=0)).index)
