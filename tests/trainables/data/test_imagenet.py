"""ImageNet's folders."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from trainables.config import Data
from trainables.data import DataError, fingerprint, load_raw


def test_paths_and_labels(imagenet: Data) -> None:
    raw = load_raw(imagenet)
    assert raw.classes == ("n01", "n02", "n03")
    assert raw.train_images.tolist()[:5] == [*(f"train/n01/{i}.JPEG" for i in range(4)), "train/n02/0.JPEG"]
    assert raw.test_labels.tolist() == [0, 0, 1, 1, 2, 2]


def test_classes_of_train_and_val_must_agree(imagenet: Data) -> None:
    place = Path(str(imagenet.root))
    shutil.move(place / "val/n02", place / "val/n09")
    with pytest.raises(DataError, match=r"^root: .*n09 is a class that train/ has not"):
        load_raw(imagenet)
    shutil.rmtree(place / "val/n09")
    with pytest.raises(DataError, match=r"^root: .*val.n02 is missing"):
        load_raw(imagenet)


def test_the_fingerprint_follows_the_listing(imagenet: Data) -> None:
    first = fingerprint(imagenet)
    assert fingerprint(imagenet) == first
    (Path(str(imagenet.root)) / "train/n01/0.JPEG").unlink()
    assert fingerprint(imagenet) != first
