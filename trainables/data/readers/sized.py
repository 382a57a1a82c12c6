"""Shows images of any size: small ones kept in memory, or large ones read anew in each epoch.

``size`` is the side in pixels of what the network sees. Up to 96 pixels every image is resized once, its
shorter side to ``size`` and the centre kept, and stays in memory; it is trained on with ``padding`` pixels
around (an eighth of the side unless given) and a ``flip``. Above that images are read from their files in
each epoch: trained on with ``RandomResizedCrop(size)`` and a flip, evaluated on the centre of the image whose
shorter side is ``resize`` (8/7 of ``size`` unless given), as on ImageNet.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainables.config.data import Data
from trainables.data.partition import rows_by_class, shuffled
from trainables.data.raw import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    CropFlipViews,
    DataError,
    RawData,
    StreamedViews,
)
from trainables.data.readers.packed import channel_statistics
from trainables.data.registry import options

RESIDENT_SIDE = 96
"""Pixels of a side up to which images are kept in memory: 28 kB each there."""

RESIDENT_BYTES = 8 * 2**30
"""Bytes that they may take together."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """Holds the images of a part, by what names them to their reader, with their labels.

    >>> part = Labelled(np.array(["a.png", "b.png"]), np.array([0, 1]))
    >>> Labelled.joined([part, part.rows(np.array([0]))]).labels.tolist()
    [0, 1, 0]

    Attributes:
        keys: [N], paths or positions.
        labels: [N] int64, positions in the classes.
    """

    keys: NDArray[Any]
    labels: NDArray[np.int64]

    @classmethod
    def joined(cls, parts: Sequence[Labelled]) -> Labelled:
        """Join ``parts``, one after the other."""
        return cls(np.concatenate([p.keys for p in parts]), np.concatenate([p.labels for p in parts]))

    def rows(self, rows: NDArray[np.int64]) -> Labelled:
        """Return the images at ``rows``."""
        return Labelled(self.keys[rows], self.labels[rows])


def split_off(whole: Labelled, share: float, seed: int) -> tuple[Labelled, Labelled]:
    """Split a set without a test part: of each class ``share`` is for test, at least one image.

    What is drawn depends on ``seed`` and the class alone.
    """
    test = np.zeros(len(whole.labels), dtype=bool)
    for label, rows in rows_by_class(whole.labels, int(whole.labels.max(initial=-1)) + 1).items():
        count = max(1, round(share * len(rows)))
        test[rows[shuffled(len(rows), seed, label)[:count]]] = True
    return whole.rows(np.flatnonzero(~test)), whole.rows(np.flatnonzero(test))


def raw_of(
    data: Data,
    train: Labelled,
    test: Labelled,
    classes: tuple[str, ...],
    read_one: Callable[[Any], Any],
    *,
    size: int | None = None,
    held_out: NDArray[np.bool_] | None = None,
    remarks: tuple[str, ...] = (),
) -> RawData:
    """Return the set as ``data``'s options show it.

    Args:
        read_one: the image of a key, RGB.
        size: pixels of a side where the options leave it open.
    """
    chosen = options(data)
    size = cast(int, chosen["size"]) or size or 224
    shown: CropFlipViews | StreamedViews
    if size <= RESIDENT_SIDE:
        needed = 3 * size**2 * (len(train.keys) + len(test.keys))
        if needed > RESIDENT_BYTES:
            raise DataError(
                f"options.size: {len(train.keys) + len(test.keys)} images of {size} pixels take "
                f"{needed / 2**30:.0f} GiB of memory; use fewer, or a size above {RESIDENT_SIDE}, "
                "at which they are read in each epoch"
            )
        padding = cast(int, chosen["padding"])
        shown = CropFlipViews(size // 8 if padding < 0 else padding, cast(bool, chosen["flip"]))
        train_images, test_images = (decoded(part.keys, read_one, size) for part in (train, test))
        mean, std = channel_statistics(train_images)
    else:
        resize = cast(int, chosen["resize"]) or round(size * 8 / 7)
        if resize < size:
            raise DataError(f"options.resize: {resize} is below the size, {size}")
        shown = StreamedViews(size=size, resize=resize)
        train_images, test_images = train.keys, test.keys
        mean, std = IMAGENET_MEAN, IMAGENET_STD
    return RawData(
        train_images=train_images,
        train_labels=train.labels,
        test_images=test_images,
        test_labels=test.labels,
        classes=classes,
        mean=mean,
        std=std,
        augmentation=shown,
        held_out=held_out,
        remarks=remarks,
    )


def decoded(
    keys: NDArray[Any],
    read_one: Callable[[Any], Any],
    size: int,
    fit: Callable[[Image.Image, int], Image.Image] | None = None,
) -> NDArray[np.uint8]:
    """Decode images to [N,size,size,3]; that lets go of the interpreter's lock, so threads share the work.

    Args:
        fit: makes an image ``size`` pixels a side; :func:`centred` if None.
    """
    images = np.empty((len(keys), size, size, 3), dtype=np.uint8)

    def decode(row: int) -> None:
        images[row] = np.asarray((fit or centred)(read_one(keys[row]), size))

    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as threads:
        for _ in threads.map(decode, range(len(keys)), chunksize=64):
            pass
    return images


def centred(image: Image.Image, size: int) -> Image.Image:
    """Return the centre of ``image``, its shorter side resized to ``size``, to the pixel as torchvision does.

    >>> centred(Image.new("RGB", (200, 100)), 32).size
    (32, 32)
    """
    width, height = image.size
    if (width, height) == (size, size):
        return image
    height, width = shrunk(height, width, size)
    left, top = round((width - size) / 2), round((height - size) / 2)
    resized = image.resize((width, height), Image.Resampling.BILINEAR)
    return resized.crop((left, top, left + size, top + size))


def shrunk(height: int, width: int, shorter: int) -> tuple[int, int]:
    """Return height and width of an image whose shorter side becomes ``shorter``, as torchvision rounds them.

    >>> shrunk(375, 500, 256)
    (256, 341)
    """
    least = min(height, width)
    return shorter * height // least, shorter * width // least


def squashed(image: Image.Image, size: int) -> Image.Image:
    """Return ``image`` resized to ``size`` x ``size``, its aspect not kept, to the pixel as torchvision does.

    >>> squashed(Image.new("RGB", (200, 100)), 32).size
    (32, 32)
    """
    return image.resize((size, size), Image.Resampling.BILINEAR)
