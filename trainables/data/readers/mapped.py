"""Reads a set that ``sdd-study pack`` wrote: images in one file, shrunk, mapped into memory.

Nothing is decoded where the file holds pixels: of an image only the crop that is shown is read. The set's
identity is the SHA-256 of the file's index, which holds that of all images.

Options: ``size`` and ``resize`` of what the network sees, ``padding`` and ``flip`` of small images; see
:mod:`trainables.data.readers.sized`.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.config.data import Data
from trainables.data.images import ReadImage
from trainables.data.mapped_file import MappedFile
from trainables.data.raw import RawData
from trainables.data.readers.sized import Labelled, raw_of
from trainables.data.registry import root

PIXELS = 0
"""Quality that stands for pixels as they are."""


def read(data: Data) -> RawData:
    """Return the numbers of all images, decoded if they are shown small."""
    file = MappedFile(root(data))
    index = file.index
    train = int(index.numbers[0])
    every = Labelled(np.arange(len(file), dtype=np.int64), index.labels)
    parts = every.rows(np.arange(train)), every.rows(np.arange(train, len(file)))
    held_out = index.held_out if len(index.held_out) else None
    return raw_of(data, *parts, tuple(index.classes.tolist()), opened(data), held_out=held_out)


def fingerprint(data: Data) -> str:
    """Return the hash of the file's index, which is checked against it."""
    identity: str = MappedFile(root(data)).fingerprint.hex()
    return identity


def opened(data: Data) -> ReadImage:
    """Return the function that reads an image by its number, and compares it with its check sum."""
    file = MappedFile(root(data))

    def image(key: Any) -> Image.Image:
        file.check(int(key))
        if _quality(file) == PIXELS:
            return Image.fromarray(file.pixels(int(key)))
        return Image.open(io.BytesIO(file.entry(int(key)).tobytes())).convert("RGB")

    return image


def pixels(data: Data) -> Any:
    """Return the function that gives an image's pixels by its number, without a look at its check sum."""
    from trainables.data.decoding import jpeg_pixels

    file = MappedFile(root(data))

    def view(key: Any) -> NDArray[np.uint8]:
        return file.pixels(int(key))

    def decoded(key: Any) -> NDArray[np.uint8]:
        found = jpeg_pixels(np.array(file.entry(int(key))))
        if found is None:
            raise file.damaged(f"image {key}")
        return found

    return view if _quality(file) == PIXELS else decoded


def _quality(file: MappedFile) -> int:
    return int(file.index.numbers[2])
