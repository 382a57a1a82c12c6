"""Shares what sets of other libraries have in common: parts with labels, and an image by its number.

Small images of one size are shown as they are and stay in memory; others follow ``options.size``, see
:mod:`trainables.data.readers.sized`. A part for validation, where a set has one beside train and test, is the
part that is held out; a set in one piece is split by a seed.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.config.data import Data
from trainables.data.raw import DataError, RawData
from trainables.data.readers.image_files import unreadable
from trainables.data.readers.sized import RESIDENT_SIDE, Labelled, raw_of, split_off
from trainables.data.registry import options
from trainables.errors import one_line

TRAIN, VALIDATION, TEST, WHOLE = "train", "validation", "test", "whole"
PROBES = 32
"""Images that are looked at to tell whether all are of one size."""


@dataclass(frozen=True, slots=True)
class LibraryPart:
    """Holds one part of a set, of which images are read by number.

    Attributes:
        labels: [N] int64.
        image: image number i, RGB.
        content: what stands for the images in the fingerprint.
    """

    labels: NDArray[np.int64]
    image: Callable[[int], Image.Image]
    content: bytes

    def __len__(self) -> int:
        return len(self.labels)


Parts = Mapping[str, LibraryPart]
"""Parts of a set by role, in the order of the raw positions."""


def raw_of_parts(data: Data, parts: Parts, classes: tuple[str, ...]) -> RawData:
    """Return the set as ``data``'s options show it; an image's key is its number over all parts."""
    firsts = dict(zip(parts, np.cumsum([0, *map(len, parts.values())])[:-1].tolist(), strict=True))
    labelled = {
        role: Labelled(firsts[role] + np.arange(len(part), dtype=np.int64), part.labels)
        for role, part in parts.items()
    }
    held_out = None
    if WHOLE in labelled:
        chosen = options(data)
        train, test = split_off(labelled[WHOLE], cast(float, chosen["test"]), cast(int, chosen["seed"]))
    else:
        train, test = labelled[TRAIN], labelled[TEST]
        if VALIDATION in labelled:
            train = Labelled.joined([train, labelled[VALIDATION]])
            held_out = np.arange(len(train.labels)) >= len(labelled[TRAIN].labels)
    size = natural_size(next(iter(parts.values())))
    return raw_of(data, train, test, classes, image_of(parts), size=size, held_out=held_out)


def image_of(parts: Parts) -> Callable[[Any], Image.Image]:
    """Return the function that reads the image of a number over all parts."""
    ends = np.cumsum([len(part) for part in parts.values()])
    each = list(parts.values())

    def read(key: Any) -> Image.Image:
        number = int(np.searchsorted(ends, int(key), side="right"))
        return each[number].image(int(key) - (int(ends[number - 1]) if number else 0))

    return read


def natural_size(part: LibraryPart) -> int | None:
    """Return the images' side, pixels, where a sample has them small, square and all alike; else None."""
    rows = np.unique(np.linspace(0, len(part) - 1, min(PROBES, len(part))).astype(int))
    sizes = {part.image(int(row)).size for row in rows}
    (width, height), *others = sizes
    return width if not others and width == height <= RESIDENT_SIDE else None


def fingerprint_of(parts: Parts) -> str:
    """Return a hash of the labels and of what stands for the images."""
    digest = hashlib.sha256()
    for role, part in parts.items():
        digest.update(f"{role}\0{len(part)}\n".encode() + part.labels.tobytes() + part.content)
    return digest.hexdigest()


@contextmanager
def no_empty_folders(root: Path) -> Iterator[None]:
    """Remove the empty folders that a library leaves in ``root`` where it fetches a set and fails."""
    missing = [folder for folder in (root, *root.parents) if not folder.exists()]
    before = set(os.listdir(root)) if root.is_dir() else set()
    try:
        yield
    except BaseException:
        made = [root / name for name in os.listdir(root) if name not in before] if root.is_dir() else []
        for top in made:
            for inside, _, _ in os.walk(top, topdown=False):
                _remove_if_empty(inside)
        for folder in missing:
            _remove_if_empty(folder)
        raise


def _remove_if_empty(folder: str | Path) -> None:
    with suppress(OSError):  # it holds something, or is not there
        os.rmdir(folder)


def as_rgb(get: Callable[[], Any], what: str) -> Image.Image:
    """Return the image that ``get`` reads, in RGB; :class:`DataError` names ``what`` where it cannot be."""
    try:
        image = get()
        if not isinstance(image, Image.Image):
            image = Image.fromarray(np.asarray(image))
        image.load()
    except Exception as error:  # whatever another library raises about a damaged file
        raise DataError(
            f"root: {what} cannot be read ({one_line(error, part='first')}); fetch the set again"
        ) from error
    if (reason := unreadable(image)) is not None:
        raise DataError(f"root: {what} {reason}")
    return image.convert("RGB")


def numbered(labels: Any, what: str) -> NDArray[np.int64]:
    """Return labels as numbers from 0; raises :class:`DataError` where they are none."""
    try:
        found = np.asarray([int(label) for label in labels], dtype=np.int64)
    except (TypeError, ValueError) as error:
        raise DataError(f"name: {what} has no class numbers ({one_line(error, part='first')})") from None
    if not len(found) or found.min() < 0:
        raise DataError(f"name: {what} has images without a class, or none at all")
    return found
