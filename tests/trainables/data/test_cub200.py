"""CUB-200's lists and what is wrong with them; its images in memory, its crops counted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision import transforms

from trainables.config import Data
from trainables.data import DataError, fingerprint, load, load_raw
from trainables.data.raw import IMAGENET_MEAN, IMAGENET_STD
from trainables.data.resident import ResidentSplit


def squashed(data: Data, folder: int, number: int) -> NDArray[np.uint8]:
    """An image as torchvision resizes it."""
    name = ("001.Black_footed_Albatross", "002.Laysan_Albatross")[folder]
    image = Image.open(Path(str(data.root)) / f"images/{name}/{number}.jpg").convert("RGB")
    return np.asarray(transforms.Resize((256, 256))(image))


def test_lists_are_joined_by_image(cub200: Data) -> None:
    raw = load_raw(cub200)
    assert raw.classes == ("Black_footed_Albatross", "Laysan_Albatross")
    assert raw.train_labels.tolist() == [0] * 4 + [1] * 4
    listed = [(folder, number) for folder in (0, 1) for number in (0, 3)]
    for image, (folder, number) in zip(raw.test_images, listed, strict=True):
        assert np.array_equal(image, squashed(cub200, folder, number))


def test_crops_are_countable_and_evaluation_is_the_centre(cub200: Data) -> None:
    loaded = load(cub200, "cpu")
    assert (len(loaded.train), len(loaded.validation), len(loaded.test)) == (6, 2, 4)
    assert isinstance(loaded.train, ResidentSplit)
    assert loaded.train.views == 33 * 33 * 2
    assert loaded.image_size == (224, 224)
    assert next(loaded.train.batches(6, epoch=1, seed=0)).images.shape == (6, 3, 224, 224)
    usual = transforms.Compose(
        [transforms.CenterCrop(224), transforms.ToTensor(), transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)]
    )
    shown = next(loaded.test.batches(4, epoch=None)).images[0]
    torch.testing.assert_close(shown, usual(Image.fromarray(squashed(cub200, 0, 0))), rtol=0, atol=1e-6)
    plain = load(replace(cub200, augment="none"), "cpu")
    assert plain.train.views == 1
    for part in ("train", "validation"):
        batches = [getattr(data, part).batches(6, epoch=None) for data in (loaded, plain)]
        assert torch.equal(*(next(batch).images for batch in batches))


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("image_class_labels.txt", "3 1\n", "3 9\n", "image 3 has 9, not a number of 1..2"),
        ("image_class_labels.txt", "3 1\n", "", "image 3 has no entry"),
        ("train_test_split.txt", "3 1\n", "3 x\n", "image 3 has x, not a number of 0..1"),
        ("images.txt", "0.jpg", "9.jpg", "9.jpg is listed in images.txt and missing"),
        ("images.txt", "1 001.Black_footed_Albatross/0.jpg", "1", "images.txt, line 1: fewer than 2 words"),
    ],
)
def test_a_wrong_list_is_named(cub200: Data, name: str, old: str, new: str, message: str) -> None:
    path = Path(str(cub200.root)) / name
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DataError, match=rf"^root: .*{message}"):
        load_raw(cub200)


def test_another_split_is_another_fingerprint(cub200: Data) -> None:
    first = fingerprint(cub200)
    path = Path(str(cub200.root)) / "train_test_split.txt"
    path.write_text(path.read_text().replace("3 1\n", "3 0\n"))
    assert fingerprint(cub200) != first
