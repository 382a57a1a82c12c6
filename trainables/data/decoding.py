"""Decodes the images of a streamed set to pixels, as fast as it goes without another pixel than Pillow's.

A usual JPEG is decoded by torchvision, whose libjpeg-turbo gives the pixels that Pillow's gives, without
Pillow's copies, and without the interpreter's lock, so that threads share the work. Whatever else there is,
and all that is damaged, goes to the set's own reader, which reads or refuses it.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.io import ImageReadMode, decode_jpeg

from trainables.config.data import Data
from trainables.data.images import image_reader
from trainables.data.readers.image_files import read_rgb
from trainables.data.registry import root, source

Pixels = NDArray[np.uint8]
ReadPixels = Callable[[Any], Pixels]
"""Returns the pixels [H,W,3] of a key; raises :class:`DataError` naming it where it cannot be read."""

_FRAMES = frozenset({0xC0, 0xC1, 0xC2})
"""Markers of a frame that is baseline, extended or progressive, Huffman coded."""


def pixel_reader(data: Data) -> ReadPixels:
    """Find what reads the pixels of ``data``: its reader's ``pixels`` or images, or files below the root."""
    reader = importlib.import_module(f"trainables.data.readers.{source(data.name).module}")
    if hasattr(reader, "pixels"):
        return cast(ReadPixels, reader.pixels(data))
    if hasattr(reader, "opened"):
        read = image_reader(data)
        return lambda key: np.asarray(read(key))
    return partial(read_pixels, root(data))


def read_pixels(folder: Path, path: str) -> Pixels:
    """Decode the image at ``path`` below ``folder``: the pixels of :func:`read_rgb`, or its error."""
    place = folder / str(path)
    try:
        content = np.fromfile(place, dtype=np.uint8)
    except OSError:
        content = np.empty(0, dtype=np.uint8)
    pixels = jpeg_pixels(content)
    return np.asarray(read_rgb(place)) if pixels is None else pixels


def jpeg_pixels(content: Pixels) -> Pixels | None:
    """Decode a JPEG of three channels or one, 8 bits each; None where it is none, or is damaged.

    >>> jpeg_pixels(np.frombuffer(b"GIF89a", dtype=np.uint8)) is None
    True
    """
    if not usual_jpeg(content[: 1 << 16].tobytes()):
        return None
    try:
        planes = decode_jpeg(torch.from_numpy(content), ImageReadMode.RGB)
    except RuntimeError:
        return None
    return cast(Pixels, planes.permute(1, 2, 0).numpy())


def usual_jpeg(head: bytes) -> bool:
    """Tell from a file's first bytes whether it is a JPEG that torchvision and Pillow decode alike.

    Not so are four channels, 12 bits, arithmetic coding, and more pixels than Pillow takes for an attack.
    """
    at = 2
    while head[:2] == b"\xff\xd8" and at + 9 < len(head) and head[at] == 0xFF:
        marker = head[at + 1]
        if marker in _FRAMES:
            bits, channels = head[at + 4], head[at + 9]
            pixels = int.from_bytes(head[at + 5 : at + 7]) * int.from_bytes(head[at + 7 : at + 9])
            return bits == 8 and channels in (1, 3) and 0 < pixels <= (Image.MAX_IMAGE_PIXELS or pixels)
        at += 1 if marker == 0xFF else 2 + int.from_bytes(head[at + 2 : at + 4])  # 0xFF fills up
    return False
