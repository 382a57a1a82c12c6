"""Reads Tiny ImageNet, or a part of its classes: 64 x 64 images, 500 for training and 50 for test a class.

Layout, from tiny-imagenet-200.zip: ``wnids.txt``, ``words.txt`` (wnid, names), ``val/val_annotations.txt``
(file, wnid, box), ``train/<wnid>/images/*.JPEG`` and ``val/images/*.JPEG``. The official validation images
are ``test`` here. All images are decoded once and stay in memory: 1.2 GB for 200 classes.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trainables.config.data import Data
from trainables.data.raw import CropFlipViews, DataError, RawData
from trainables.data.readers import image_folders as folders
from trainables.data.readers.image_files import read_rgb
from trainables.data.readers.text_tables import table
from trainables.data.registry import root

SIZE = 64
MEAN = (0.4802, 0.4481, 0.3975)
STD = (0.2770, 0.2691, 0.2821)
ANNOTATIONS = "val/val_annotations.txt"


def read(data: Data) -> RawData:
    """Return all images, decoded; classes in the order of their WordNet ids."""
    place = root(data)
    wnids = _wnids(place)
    over = folders.PassedOver()
    train_paths, train_labels = folders.images_of_classes(place, _train_folders(wnids), over)
    test_paths, test_labels = _annotated(place, wnids)
    return RawData(
        train_images=_decoded(place, train_paths),
        train_labels=train_labels,
        test_images=_decoded(place, test_paths),
        test_labels=test_labels,
        classes=_words(place, wnids),
        mean=MEAN,
        std=STD,
        augmentation=CropFlipViews(padding=8, flip=True),
        remarks=over.remarks(),
    )


def fingerprint(data: Data) -> str:
    """Return a hash of the lists and of the images' paths and sizes."""
    place = root(data)
    return folders.fingerprint(
        place, [*_train_folders(_wnids(place)), "val/images"], ("wnids.txt", ANNOTATIONS)
    )


def _train_folders(wnids: tuple[str, ...]) -> list[str]:
    return [f"train/{wnid}/images" for wnid in wnids]


def _wnids(place: Path) -> tuple[str, ...]:
    wnids = tuple(sorted(row[0] for row in table(place / "wnids.txt")))
    if len(set(wnids)) != len(wnids) or len(wnids) < 2:
        raise DataError(
            f"root: {place / 'wnids.txt'} does not name 2 or more classes, each once; unpack it again"
        )
    return wnids


def _words(place: Path, wnids: tuple[str, ...]) -> tuple[str, ...]:
    """Return the classes' names: the first of each in words.txt if that is there, else the WordNet id."""
    words: dict[str, str] = {}
    if (place / "words.txt").exists():
        words = {wnid: names.split(",")[0] for wnid, names in table(place / "words.txt", 2)}
    return tuple(folders.shown(words.get(wnid, wnid)) for wnid in wnids)


def _annotated(place: Path, wnids: tuple[str, ...]) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Return paths and labels of the official validation images, in the order of the annotations."""
    label_of = {wnid: label for label, wnid in enumerate(wnids)}
    rows = table(place / ANNOTATIONS, 3)
    for number, (_, wnid, _) in enumerate(rows, 1):
        if wnid not in label_of:
            raise DataError(
                f"root: {place / ANNOTATIONS}, line {number}: {wnid} is not in wnids.txt; unpack it again"
            )
    if not rows:
        raise DataError(f"root: {place / ANNOTATIONS} is empty; unpack it again")
    paths = np.array([f"val/images/{name}" for name, _, _ in rows])
    return paths, np.array([label_of[wnid] for _, wnid, _ in rows], dtype=np.int64)


def _decoded(place: Path, paths: NDArray[np.str_]) -> NDArray[np.uint8]:
    """Decode images to [N,64,64,3]; that lets go of the interpreter's lock, so threads share the work."""
    images = np.empty((len(paths), SIZE, SIZE, 3), dtype=np.uint8)

    def decode(row: int) -> None:
        path = place / str(paths[row])
        image = np.asarray(read_rgb(path))
        if image.shape != (SIZE, SIZE, 3):
            raise DataError(
                f"root: {path} is {image.shape[1]} x {image.shape[0]}, not {SIZE} x {SIZE} pixels"
            )
        images[row] = image

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as threads:
        for _ in threads.map(decode, range(len(paths)), chunksize=64):
            pass
    return images
