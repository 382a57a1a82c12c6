"""Tiny ImageNet's folders and annotations, decoded."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.trainables.data.conftest import save
from trainables.config import Data
from trainables.data import DataError, fingerprint, load, load_raw


def test_images_labels_and_names(tiny_imagenet: Data) -> None:
    raw = load_raw(tiny_imagenet)
    assert raw.classes == ("red fox", "goldfish", "ox")
    assert (raw.train_images.shape, raw.test_images.shape) == ((12, 64, 64, 3), (6, 64, 64, 3))
    assert raw.train_labels.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    assert raw.test_labels.tolist() == [0, 0, 1, 1, 2, 2]
    stored = Image.open(Path(str(tiny_imagenet.root)) / "train/n02/images/n02_1.JPEG")
    assert np.array_equal(raw.train_images[5], np.asarray(stored))


def test_a_greyscale_image_has_three_equal_channels(tiny_imagenet: Data) -> None:
    grey = load_raw(tiny_imagenet).train_images[11]
    assert (grey[..., 0] == grey[..., 2]).all()


def test_crops_are_padded_by_eight(tiny_imagenet: Data) -> None:
    loaded = load(tiny_imagenet, "cpu")
    assert loaded.train.views == 17 * 17 * 2
    assert loaded.image_size == (64, 64)


def test_without_words_the_ids_are_the_names(tiny_imagenet: Data) -> None:
    (Path(str(tiny_imagenet.root)) / "words.txt").unlink()
    assert load_raw(tiny_imagenet).classes == ("n01", "n02", "n03")


def test_what_is_wrong_is_named(tiny_imagenet: Data) -> None:
    place = Path(str(tiny_imagenet.root))
    image = place / "train/n01/images/n01_2.JPEG"
    whole = image.read_bytes()
    image.write_bytes(whole[:300])
    with pytest.raises(DataError, match=r"^root: .*n01_2\.JPEG cannot be read"):
        load_raw(tiny_imagenet)
    save(image, 0, 32)
    with pytest.raises(DataError, match=r"^root: .*n01_2\.JPEG is 32 x 32, not 64 x 64 pixels"):
        load_raw(tiny_imagenet)
    image.write_bytes(whole)
    annotations = place / "val/val_annotations.txt"
    listed = annotations.read_text()
    annotations.write_text(listed.replace("n02", "n07", 1))
    with pytest.raises(DataError, match=r"^root: .*val_annotations\.txt, line 3: n07 is not in wnids\.txt"):
        load_raw(tiny_imagenet)
    annotations.write_text(listed.replace("val_4", "val_9"))
    with pytest.raises(DataError, match=r"^root: .*val_9\.JPEG cannot be read"):
        load_raw(tiny_imagenet)
    annotations.write_text("")
    with pytest.raises(DataError, match=r"^root: .*val_annotations\.txt is empty"):
        load_raw(tiny_imagenet)
    (place / "wnids.txt").write_text("n01\nn01\n")
    with pytest.raises(DataError, match=r"^root: .*wnids\.txt does not name 2 or more classes, each once"):
        load_raw(tiny_imagenet)


def test_other_annotations_are_another_fingerprint(tiny_imagenet: Data) -> None:
    first = fingerprint(tiny_imagenet)
    annotations = Path(str(tiny_imagenet.root)) / "val/val_annotations.txt"
    annotations.write_text(annotations.read_text().replace("n02", "n03", 1))
    assert fingerprint(tiny_imagenet) != first
