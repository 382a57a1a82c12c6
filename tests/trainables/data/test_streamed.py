"""Images read anew in each epoch: the same whatever the number of threads, as torchvision shows them."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torchvision import transforms

from trainables.config import Data
from trainables.data import Batch, DataError, load, load_raw
from trainables.data.raw import IMAGENET_MEAN, IMAGENET_STD
from trainables.data.strong_view import StrongViews


def joined(batches: Iterable[Batch]) -> Batch:
    return Batch(*(torch.cat(part) for part in zip(*batches, strict=True)))


def test_an_epoch_does_not_hang_on_the_workers(imagenet: Data) -> None:
    here, there = (load(imagenet, "cpu", workers=workers).train for workers in (0, 2))
    first, second = (joined(part.batches(3, epoch=1, seed=4)) for part in (here, there))
    for ours, theirs in zip(first, second, strict=True):
        assert torch.equal(ours, theirs)
    assert first.images.shape == (9, 3, 224, 224)
    assert first.view.tolist() == [1] * 9
    assert here.views is None


def test_an_image_is_augmented_by_seed_epoch_and_index_alone(imagenet: Data) -> None:
    loaded = load(imagenet, "cpu", workers=0)
    shown = {}
    for part, size in ((loaded.train, 2), (loaded.all, 5)):
        batch = joined(part.batches(size, epoch=0, seed=9))
        shown[part] = dict(zip(batch.index.tolist(), batch.images, strict=True))
    for index, image in shown[loaded.train].items():
        if index in shown[loaded.all]:
            assert torch.equal(image, shown[loaded.all][index])
    other = joined(loaded.all.batches(5, epoch=1, seed=9))
    index = int(other.index[0])
    assert not torch.equal(other.images[0], shown[loaded.all].get(index, torch.zeros(1)))


def test_strong_views_of_streamed_images_are_theirs_in_whatever_batch(imagenet: Data) -> None:
    train = load(imagenet, "cpu", workers=0).train
    strong = StrongViews(*train.normalisation)
    strong.begin_epoch(seed=4, epoch=1)
    one, many = (joined(map(strong, train.batches(size, epoch=1, seed=4))) for size in (1, 3))
    order = [one.index.tolist().index(index) for index in many.index.tolist()]
    assert torch.equal(one.images[order], many.images)
    assert not torch.equal(many.images, joined(train.batches(3, epoch=1, seed=4)).images)


def test_an_epoch_that_is_left_early_can_be_begun_again(imagenet: Data) -> None:
    train = load(imagenet, "cpu", workers=2).train
    first = next(iter(train.batches(3, epoch=1, seed=4)))
    again = next(iter(train.batches(3, epoch=1, seed=4)))
    assert torch.equal(first.images, again.images)


def test_threads_are_kept_from_epoch_to_epoch_and_end_with_the_set(imagenet: Data) -> None:
    loaded, before = load(imagenet, "cpu", workers=2), set(threading.enumerate())
    for epoch in (1, 2):
        list(loaded.train.batches(3, epoch=epoch))
        list(loaded.test.batches(3, epoch=None))
    started = set(threading.enumerate()) - before
    assert 1 <= len(started) <= 2
    del loaded
    gc.collect()
    for thread in started:
        thread.join(10)
        assert not thread.is_alive()


def test_threads_follow_the_cores_of_the_trial(imagenet: Data) -> None:
    kept = torch.get_num_threads()
    try:
        torch.set_num_threads(11)
        assert load(imagenet, "cpu").train._reader.workers == 11  # type: ignore[attr-defined]
    finally:
        torch.set_num_threads(kept)


def test_the_global_generator_is_left_alone(imagenet: Data) -> None:
    before = torch.get_rng_state()
    list(load(imagenet, "cpu", workers=0).train.batches(3, epoch=0, seed=0))
    assert torch.equal(torch.get_rng_state(), before)


def test_evaluation_is_torchvisions_within_a_level(imagenet: Data) -> None:
    raw = load_raw(imagenet)
    batch = joined(load(imagenet, "cpu", workers=0).test.batches(2, epoch=None))
    usual = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD),
        ]
    )
    for path, image in zip(raw.test_images, batch.images, strict=True):
        expected = usual(Image.open(Path(str(imagenet.root)) / path).convert("RGB"))
        torch.testing.assert_close(image, expected, rtol=0, atol=1.01 / 255 / min(IMAGENET_STD))


def test_without_augmentation_an_epoch_shows_the_plain_images(imagenet: Data) -> None:
    train = load(replace(imagenet, augment="none"), "cpu", workers=0).train
    shuffled, plain = joined(train.batches(3, epoch=0, seed=0)), joined(train.batches(3, epoch=None))
    assert torch.equal(shuffled.images[shuffled.index.argsort()], plain.images)


@pytest.mark.parametrize("workers", [0, 1])
def test_a_corrupted_image_is_one_line(imagenet: Data, workers: int) -> None:
    path = Path(str(imagenet.root)) / "train/n02/0.JPEG"
    path.write_bytes(path.read_bytes()[:500])
    everything = load(imagenet, "cpu", workers=workers).all
    with pytest.raises(DataError, match=r"\Aroot: [^\n]*0\.JPEG cannot be read[^\n]*\Z"):
        list(everything.batches(4, epoch=None))


def test_views_are_not_to_be_chosen(imagenet: Data) -> None:
    with pytest.raises(ValueError, match="view 0 is not one of None"):
        load(imagenet, "cpu", workers=0).train.batches(2, epoch=None, view=0)


@pytest.mark.parametrize("asked", [{"augment_strength": 0.4}, {"augment": "none"}, {}], ids=str)
def test_an_augmented_set_is_the_one_that_is_loaded_so_with_the_threads_of_the_usual_one(
    imagenet: Data, asked: dict[str, Any]
) -> None:
    usual, wanted = load(imagenet, "cpu", workers=1), replace(imagenet, **asked)
    shared = usual.augmented_as(replace(imagenet, augment_strength=0.1)).augmented_as(wanted).train
    fresh = load(wanted, "cpu", workers=0).train
    ours, theirs = (joined(part.batches(3, epoch=1, seed=4)) for part in (shared, fresh))
    assert torch.equal(ours.images, theirs.images)
    assert shared.shown == fresh.shown  # type: ignore[attr-defined]
    assert shared.device_key == usual.train.device_key
    assert shared._reader.threads is usual.train._reader.threads  # type: ignore[attr-defined]


def test_files_cannot_be_augmented_more_than_usual(imagenet: Data) -> None:
    with pytest.raises(
        DataError, match=r"augment_strength: 1.5 is above 1, the most for images read from fi"
    ):
        load(replace(imagenet, augment_strength=1.5), "cpu")
    augmented, weaker = (
        joined(load(replace(imagenet, augment_strength=strength), "cpu", workers=0).train.batches(3, epoch=1))
        for strength in (1.0, 0.3)
    )
    assert not torch.equal(augmented.images, weaker.images)
