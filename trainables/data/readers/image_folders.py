"""Sets that are folders of image files: listing them, hashing the listing, reading one image.

An image that is greyscale, CMYK or has an alpha channel is read as RGB.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.data.raw import DataError

EXTENSIONS = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


def class_folders(root: Path, part: str) -> tuple[str, ...]:
    """Names of the folders in ``root/part``, sorted; at least 2."""
    found = tuple(sorted(entry.name for entry in os.scandir(root / part) if entry.is_dir()))
    if len(found) < 2:
        raise DataError(f"root: {root / part} holds {len(found)} class folders; unpack the data set again")
    return found


def images_of_classes(root: Path, folders: Sequence[str]) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Paths below ``root`` of the images in each of ``folders``, sorted, and the positions of their folders.

    Raises:
        DataError: a folder is missing or holds no images, or a file is empty.
    """
    paths: list[str] = []
    labels: list[int] = []
    for label, folder in enumerate(folders):
        here = [path for path, _ in listing(root, folder)]
        if not here:
            raise DataError(f"root: {root / folder} holds no images; unpack the data set again")
        paths += here
        labels += [label] * len(here)
    return np.array(paths), np.array(labels, dtype=np.int64)


def listing(root: Path, folder: str) -> Iterator[tuple[str, int]]:
    """Path below ``root`` and size in bytes of each image in ``root/folder``, sorted by name.

    Raises:
        DataError: the folder is missing, or a file is empty.
    """
    if not (root / folder).is_dir():
        raise DataError(f"root: {root / folder} is missing; unpack the data set again")
    for entry in sorted(os.scandir(root / folder), key=lambda entry: entry.name):
        if os.path.splitext(entry.name)[1].lower() not in EXTENSIONS:
            continue
        size = entry.stat().st_size
        if size == 0:
            raise DataError(f"root: {root / folder / entry.name} is empty; unpack the data set again")
        yield f"{folder}/{entry.name}", size


def fingerprint(root: Path, folders: Iterable[str], texts: Iterable[str] = ()) -> str:
    """Hash of the (path, size) listing of the images in ``folders`` and of the content of the ``texts``."""
    digest = hashlib.sha256()
    for folder in sorted(folders):
        for path, size in listing(root, folder):
            digest.update(f"{path}\0{size}\n".encode())
    for text in sorted(texts):
        digest.update(text.encode() + b"\0" + (root / text).read_bytes() + b"\n")
    return digest.hexdigest()


def read_rgb(path: Path) -> Image.Image:
    """The image in RGB; raises :class:`DataError` naming the file if it is missing, cut off or no image."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DataError(f"root: {path} cannot be read ({error}); unpack the data set again") from error


def table(path: Path, columns: int | None = None) -> list[list[str]]:
    """Words of each line of a text file, in ``columns`` columns (the last takes the rest of the line).

    Raises:
        DataError: a line has fewer columns; the message names the line.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"root: {path} cannot be read ({error}); unpack the data set again") from error
    rows = [line.split(None, -1 if columns is None else columns - 1) for line in lines]
    for number, row in enumerate(rows, 1):
        if columns is not None and len(row) < columns:
            raise DataError(
                f"root: {path}, line {number}: fewer than {columns} words; unpack the data set again"
            )
    return rows
