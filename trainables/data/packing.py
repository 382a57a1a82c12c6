"""Packs a set of image files into one file of smaller images, which is read many times faster."""

from __future__ import annotations

import fcntl
import io
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image

from trainables.config.data import Data
from trainables.data.images import ReadImage, image_reader
from trainables.data.inspection import CHUNK
from trainables.data.mapped_file import MappedWriter
from trainables.data.raw import DataError, RawData, StreamedViews
from trainables.data.readers.mapped import PIXELS
from trainables.data.readers.sized import shrunk


@dataclass(frozen=True, slots=True)
class Packed:
    """Tells what came of packing.

    Attributes:
        images: number of images.
        bytes: of the file.
        fingerprint: identity of the set.
    """

    images: int
    bytes: int
    fingerprint: str


def pack(
    raw: RawData,
    data: Data,
    out: Path,
    *,
    side: int = 256,
    quality: int = PIXELS,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Packed:
    """Write the images of ``data``, read as ``raw``, to the file ``out``; it is there whole or not at all.

    Args:
        side: pixels of the shorter side that larger images are shrunk to; smaller ones stay as they are.
        quality: 0 for pixels, else of JPEGs, 1 to 95: a tenth of the room, and slower to read.
        progress: called with the number of images done and of all.

    Raises:
        DataError: the set is kept in memory anyhow, an image cannot be read, or another process packs to
            the same file.
    """
    if not isinstance(raw.augmentation, StreamedViews):
        raise DataError(
            f"name: {data.name} is kept in memory, shown at {raw.shown_size[0]} pixels; packing helps sets "
            "that are read in each epoch"
        )
    read, keys = image_reader(data), [*raw.train_images, *raw.test_images]
    with _whole_or_not_at_all(out) as file:
        writer = MappedWriter(file)
        for done, (content, size) in enumerate(_encoded(read, keys, side, quality), 1):
            writer.add(content, size)
            progress(done, len(keys))
        held_out = raw.held_out if raw.held_out is not None else np.empty(0, dtype=np.bool_)
        fingerprint = writer.finish(
            labels=np.concatenate((raw.train_labels, raw.test_labels)),
            held_out=held_out,
            classes=np.array(raw.classes),
            about=np.array([f"{data.name} {data.fingerprint or ''}".strip()]),
            numbers=np.array([len(raw.train_images), side, quality], dtype=np.int64),
        )
    return Packed(len(keys), out.stat().st_size, fingerprint.hex())


@contextmanager
def _whole_or_not_at_all(out: Path) -> Iterator[BinaryIO]:
    """Open ``out`` under a name that ends in ``.partial``; at the block's end it is synced and renamed.

    What a killed process leaves bears that name, is no set to any reader, and is taken over by the next.
    """
    partial_file = out.with_name(f"{out.name}.partial")
    with _locked(partial_file) as file:
        try:
            file.truncate(0)
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(partial_file, out)
        except BaseException:
            partial_file.unlink(missing_ok=True)
            raise


def _locked(partial_file: Path) -> BinaryIO:
    """Open ``partial_file``, made if it is not there, as the one process that does.

    Between opening and locking it another process may have ended: what is open is then the finished set, or
    a file that has been deleted, and neither is to be written to.
    """
    while True:
        file = os.fdopen(os.open(partial_file, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), os.stat(partial_file)):
                    return file
        except BlockingIOError:
            file.close()
            raise DataError(f"out: another process is writing {partial_file}; wait for it") from None
        file.close()


def _encoded(
    read: ReadImage, keys: list[Any], side: int, quality: int
) -> Iterator[tuple[bytes, tuple[int, int]]]:
    """Yield each image as it is kept, with its height and width; threads share the work."""
    encode = partial(_encode, read, side, quality)
    with ThreadPoolExecutor(min(16, len(os.sched_getaffinity(0)))) as threads:
        for start in range(0, len(keys), CHUNK):
            yield from threads.map(encode, keys[start : start + CHUNK])


def _encode(read: ReadImage, side: int, quality: int, key: Any) -> tuple[bytes, tuple[int, int]]:
    image = read(key)
    if min(image.size) > side:
        height, width = shrunk(image.height, image.width, side)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    if quality == PIXELS:
        return image.tobytes(), (image.height, image.width)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue(), (image.height, image.width)
