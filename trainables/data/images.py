"""Finds what reads one image of a streamed set, by the key that the set's reader gave it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from PIL import Image

from trainables.config.data import Data
from trainables.data.readers.image_files import read_below
from trainables.data.registry import root, source

ReadImage = Callable[[Any], Image.Image]
"""Returns the image of a key, RGB; raises :class:`DataError` naming it where it cannot be read."""


def image_reader(data: Data) -> ReadImage:
    """Find what reads the images of ``data``: its reader's own ``opened``, or files below the root."""
    reader = importlib.import_module(f"trainables.data.readers.{source(data.name).module}")
    if hasattr(reader, "opened"):
        return cast(ReadImage, reader.opened(data))
    return partial(read_below, root(data))
