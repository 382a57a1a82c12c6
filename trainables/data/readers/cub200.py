"""Reads Caltech-UCSD Birds 200-2011: 200 classes, 5,994 training and 5,794 test images of many sizes.

Layout, from CUB_200_2011.tgz: ``images.txt`` (id, path below images/), ``image_class_labels.txt`` (id, class
from 1), ``train_test_split.txt`` (id, 1 for train), ``classes.txt`` (class from 1, name), ``images/``.

Augmented as the released code of SDD does: squashed to 256 x 256, a random crop of 224 x 224, a flip. Those
are 2,178 views an image, so all images are decoded once and stay in memory, 2.3 GB, and teachers are
remembered.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.config.data import Data
from trainables.data.raw import IMAGENET_MEAN, IMAGENET_STD, CropFlipViews, DataError, RawData
from trainables.data.readers import image_folders as folders
from trainables.data.readers.image_files import read_below
from trainables.data.readers.sized import decoded, squashed
from trainables.data.readers.text_tables import table
from trainables.data.registry import root

TEXTS = ("images.txt", "image_class_labels.txt", "train_test_split.txt", "classes.txt")
SQUASHED, SHOWN = 256, 224
"""Pixels of a side of the images in memory, and of a crop."""


def read(data: Data) -> RawData:
    """Return all images, decoded, in the official split.

    Raises:
        DataError: a listed image is missing, or cannot be read.
    """
    place = root(data)
    names = [name for _, name in table(place / "classes.txt", 2)]
    listed = dict(table(place / "images.txt", 2))
    labels = _numbers(place / "image_class_labels.txt", listed, range(1, len(names) + 1)) - 1
    is_train = _numbers(place / "train_test_split.txt", listed, range(2)) == 1
    paths = np.array([f"images/{path}" for path in listed.values()])
    there = {path for folder in _image_folders(listed) for path, _ in folders.listing(place, folder)}
    for path in paths:
        if path not in there:
            name = folders.shown(place / path)
            raise DataError(f"root: {name} is listed in images.txt and missing; unpack the archive again")
    images = decoded(paths, partial(read_below, place), SQUASHED, squashed)
    return RawData(
        train_images=images[is_train],
        train_labels=labels[is_train],
        test_images=images[~is_train],
        test_labels=labels[~is_train],
        classes=tuple(folders.shown(name.split(".", 1)[-1]) for name in names),
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        augmentation=CropFlipViews(padding=0, flip=True, cut=SQUASHED - SHOWN),
    )


def fingerprint(data: Data) -> str:
    """Return a hash of the four lists and of the images' paths and sizes."""
    place = root(data)
    listed = dict(table(place / "images.txt", 2))
    return folders.fingerprint(place, _image_folders(listed), TEXTS)


def _image_folders(listed: dict[str, str]) -> list[str]:
    return sorted({f"images/{path.split('/')[0]}" for path in listed.values()})


def _numbers(path: Path, ids: dict[str, str], allowed: range) -> NDArray[np.int64]:
    """Return the number that the file gives each of ``ids``, in their order."""
    numbers = dict(table(path, 2))
    for key in ids:
        if not numbers.get(key, "").isdecimal() or int(numbers[key]) not in allowed:
            raise DataError(
                f"root: {path}: image {key} has {numbers.get(key, 'no entry')}, not a number of "
                f"{allowed[0]}..{allowed[-1]}; unpack the archive again"
            )
    return np.array([int(numbers[key]) for key in ids], dtype=np.int64)
