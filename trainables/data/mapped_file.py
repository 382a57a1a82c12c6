"""Defines the one file that a packed set of images is: written once, then mapped into memory.

    SDDPACK1, then where the index begins, its length (uint64 each) and its SHA-256
    images, one after the other: pixels [H,W,3] uint8, or a JPEG
    index: an .npz of the arrays of :class:`Index`

The first line is written last. What was cut off while it was written, or later, is told when it is opened;
an image that is damaged since bears another check sum than the index has.
"""

from __future__ import annotations

import hashlib
import io
import struct
import zlib
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from trainables.data.raw import DataError

MAGIC = b"SDDPACK1"
_HEAD = struct.Struct("<8sQQ32s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """Says what the images of a file are, train before test.

    Attributes:
        ends: [N] uint64, byte after each image, counted from the first one's first.
        sizes: [N,2] uint32, height and width.
        sums: [N] uint32, CRC-32 of the bytes of each image.
        labels: [N] int64.
        held_out: [N] bool, training images that the set itself holds out; empty where it does not say.
        classes: [K] text.
        about: text for the user: the set it was packed from.
        numbers: [3] int64, number of training images, shorter side in pixels, quality of the JPEGs or 0.
        content: [32] uint8, SHA-256 of all images.
    """

    ends: NDArray[np.uint64]
    sizes: NDArray[np.uint32]
    sums: NDArray[np.uint32]
    labels: NDArray[np.int64]
    held_out: NDArray[np.bool_]
    classes: NDArray[np.str_]
    about: NDArray[np.str_]
    numbers: NDArray[np.int64]
    content: NDArray[np.uint8]


class MappedFile:
    """Reads images of a file that was packed, by number."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("rb") as file:
            head = file.read(_HEAD.size).ljust(_HEAD.size, b"\0")
            magic, self._start, length, self.fingerprint = _HEAD.unpack(head)
            if magic != MAGIC:
                raise DataError(
                    f"root: {path} is no file of `sdd-study pack`, or was not finished; pack it anew"
                )
            file.seek(self._start)
            text = file.read(length)
        if hashlib.sha256(text).digest() != self.fingerprint:
            raise self.damaged("its index")
        with np.load(io.BytesIO(text), allow_pickle=False) as arrays:
            self.index = Index(**arrays)

    def __len__(self) -> int:
        return len(self.index.ends)

    @cached_property
    def _bytes(self) -> NDArray[np.uint8]:
        """All of the file, mapped when the first image is asked for; threads share it."""
        return np.memmap(self.path, dtype=np.uint8, mode="r")

    def entry(self, number: int) -> NDArray[np.uint8]:
        """Return the bytes of an image, where they are in the file."""
        first = int(self.index.ends[number - 1]) if number else 0
        return self._bytes[_HEAD.size + first : _HEAD.size + int(self.index.ends[number])]

    def pixels(self, number: int) -> NDArray[np.uint8]:
        """Return the pixels [H,W,3] of an image that is kept as pixels, where they are in the file."""
        height, width = self.index.sizes[number].tolist()
        return self.entry(number).reshape(height, width, 3)

    def check(self, number: int) -> None:
        """Raise :class:`DataError` where an image is not what was packed."""
        if zlib.crc32(self.entry(number).data) != self.index.sums[number]:
            raise self.damaged(f"image {number}")

    def damaged(self, what: str) -> DataError:
        """Return the error that says ``what`` of the file is damaged."""
        return DataError(f"root: {self.path}: {what} is damaged; copy the file again, or pack it anew")


class MappedWriter:
    """Writes images to an open file, one after the other, then the index."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._content = hashlib.sha256()
        self._ends: list[int] = []
        self._sizes: list[tuple[int, int]] = []
        self._sums: list[int] = []
        file.write(bytes(_HEAD.size))

    def add(self, content: bytes, size: tuple[int, int]) -> None:
        """Write an image, and note its height and width."""
        self._file.write(content)
        self._content.update(content)
        self._ends.append((self._ends[-1] if self._ends else 0) + len(content))
        self._sizes.append(size)
        self._sums.append(zlib.crc32(content))

    def finish(self, **about: Any) -> bytes:
        """Write the index, with the other arrays of :class:`Index`; return its SHA-256."""
        index = Index(
            ends=np.array(self._ends, dtype=np.uint64),
            sizes=np.array(self._sizes, dtype=np.uint32),
            sums=np.array(self._sums, dtype=np.uint32),
            content=np.frombuffer(self._content.digest(), dtype=np.uint8),
            **about,
        )
        buffer = io.BytesIO()
        np.savez(buffer, **asdict(index))
        text, start = buffer.getvalue(), self._file.tell()
        fingerprint = hashlib.sha256(text).digest()
        self._file.write(text)
        self._file.seek(0)
        self._file.write(_HEAD.pack(MAGIC, start, len(text), fingerprint))
        return fingerprint
