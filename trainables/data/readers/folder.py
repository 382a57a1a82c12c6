"""Reads one's own images in class folders: ``train/<class>/*`` and ``val/`` or ``test/``, or ``<class>/*``.

Images below a class folder count at any depth, as with torchvision's ``ImageFolder``; other files are passed
over and counted. ``test/`` is the test part. Where it is missing ``val/`` is; where both are there,
``val/`` is the part that is held out, and ``Data.validation`` is not asked. Without ``train/`` the test part
is a share of each class, drawn by a seed.

Options: ``size`` and ``resize`` of what the network sees, ``padding`` and ``flip`` of small images, ``test``
share and ``seed`` of its draw; see :mod:`trainables.data.readers.sized`.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import cast

import numpy as np

from trainables.config.data import Data
from trainables.data.raw import DataError, RawData
from trainables.data.readers import image_folders as folders
from trainables.data.readers.image_files import read_below
from trainables.data.readers.sized import Labelled, raw_of, split_off
from trainables.data.registry import options, root

TRAIN, HELD_OUT, TEST = "train", "val", "test"


def read(data: Data) -> RawData:
    """Return the images of all parts, decoded if they are shown small, else their paths."""
    place, over = root(data), folders.PassedOver()
    parts = _parts(place)
    classes = folders.class_folders(place, parts[0], over)
    found = [_labelled(place, part, classes, over, first=part == parts[0]) for part in parts]
    held_out = None
    if len(parts) == 1:
        chosen = options(data)
        train, test = split_off(found[0], cast(float, chosen["test"]), cast(int, chosen["seed"]))
    else:
        train, test = found[0], found[-1]
        if len(found) == 3:
            train = Labelled.joined(found[:2])
            held_out = np.arange(len(train.labels)) >= len(found[0].labels)
    names = tuple(map(folders.shown, classes))
    read_one = partial(read_below, place)
    return raw_of(data, train, test, names, read_one, held_out=held_out, remarks=over.remarks())


def fingerprint(data: Data) -> str:
    """Return a hash of the images' paths and sizes."""
    place = root(data)
    listed = [f"{part}/{name}" for part in _parts(place) for name in folders.class_folders(place, part)]
    return folders.fingerprint(place, listed, nested=True)


def _parts(place: Path) -> list[str]:
    """Return the parts' folders, train first and test last; one, the root, where there is no ``train/``."""
    there = {entry.name for entry in folders.entries(place) if entry.is_dir()}
    if TRAIN not in there:
        return ["."]
    parts = [part for part in (TRAIN, HELD_OUT, TEST) if part in there]
    if len(parts) == 1:
        raise DataError(
            f"root: {folders.shown(place)} holds train/ and neither val/ nor test/; add one, or let root be "
            "train/ itself, of which a share is then the test part"
        )
    return parts


def _labelled(
    place: Path, part: str, classes: tuple[str, ...], over: folders.PassedOver, *, first: bool
) -> Labelled:
    """Return the images of one part; a part but the first may lack classes, and has none of its own."""
    here = classes if first else folders.class_folders(place, part, over)
    unknown = sorted(set(here) - set(classes))
    if unknown:
        where = folders.shown(place / part / unknown[0])
        raise DataError(
            f"root: {where} is a class that train/ has not; the classes of all parts have to agree"
        )
    prefix = "" if part == "." else f"{part}/"
    paths, positions = folders.images_of_classes(
        place, [f"{prefix}{name}" for name in here], over, nested=True
    )
    numbers = np.array([classes.index(name) for name in here], dtype=np.int64)
    return Labelled(paths, numbers[positions])
