"""CUB-200's lists, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainables.config import Data
from trainables.data import DataError, fingerprint, load, load_raw


def test_lists_are_joined_by_image(cub200: Data) -> None:
    raw = load_raw(cub200)
    assert raw.classes == ("Black_footed_Albatross", "Laysan_Albatross")
    assert raw.test_images.tolist() == [
        f"images/{folder}/{i}.jpg"
        for folder in ("001.Black_footed_Albatross", "002.Laysan_Albatross")
        for i in (0, 3)
    ]
    assert raw.train_labels.tolist() == [0] * 4 + [1] * 4


def test_batches(cub200: Data) -> None:
    loaded = load(cub200, "cpu", workers=0)
    assert (len(loaded.train), len(loaded.validation), len(loaded.test)) == (6, 2, 4)
    batch = next(loaded.train.batches(6, epoch=0, seed=0))
    assert batch.images.shape == (6, 3, 224, 224)


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
