"""Reads every image file of a streamed set once, to find what is damaged before a trial does."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from trainables.config.data import Data
from trainables.data.images import ReadImage, image_reader
from trainables.data.raw import DataError, RawData, StreamedViews

CHUNK = 1024
"""Files whose reading is begun before the first of them is reported."""


def read_every(raw: RawData, data: Data) -> Iterator[DataError | None]:
    """Yield what is wrong with each image, train before test; None for one that is whole.

    The images of a set that is kept in memory were all decoded when it was read.
    """
    if not isinstance(raw.augmentation, StreamedViews):
        yield from [None] * (len(raw.train_images) + len(raw.test_images))
        return
    read = image_reader(data)
    with ThreadPoolExecutor(min(16, len(os.sched_getaffinity(0)))) as threads:  # decoding lets go of the lock
        for keys in (raw.train_images, raw.test_images):
            for start in range(0, len(keys), CHUNK):
                yield from threads.map(partial(_fault, read), keys[start : start + CHUNK])


def _fault(read: ReadImage, key: Any) -> DataError | None:
    try:
        read(key)
    except DataError as error:
        return error
    return None
