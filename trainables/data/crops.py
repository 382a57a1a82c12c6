"""Draws the random crops and flips of streamed images from (seed, epoch, index) alone.

The numbers of an image come out of a counter, :mod:`trainables.data.counter`.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from trainables.data.counter import drawn, seed_words

LEAST_AREA = 0.08
"""Smallest share of an image that a crop shows (Szegedy et al., 2015)."""

STRETCH = 4 / 3
"""Most of width / height, and of its inverse."""

TRIES = 10
"""How often a crop is tried before it is what fits."""


class Crops(NamedTuple):
    """Holds the crop of each of n images.

    >>> crops = random_crops(np.array([[375, 500], [500, 375]]), uniform(0, 1, np.array([7, 9])))
    >>> crops.boxes.shape, crops.flips.shape
    ((2, 4), (2,))

    Attributes:
        boxes: [n,4] int64, top, left, height and width in pixels of the image.
        flips: [n] bool, whether the crop is mirrored.
    """

    boxes: NDArray[np.int64]
    flips: NDArray[np.bool_]


def uniform(seed: int, epoch: int, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return [n,:data:`TRIES` * 2 + 3] numbers in [0, 1), a row for each of ``index`` [n].

    >>> both, one = uniform(3, 1, np.array([5, 8])), uniform(3, 1, np.array([8]))
    >>> bool((both[1] == one[0]).all())
    True
    """
    return drawn(torch.tensor(index), seed_words(seed, epoch), 2 * TRIES + 3).numpy()


def random_crops(sizes: NDArray[np.int64], draws: NDArray[np.float64], strength: float = 1.0) -> Crops:
    """Return crops as torchvision's ``RandomResizedCrop`` and ``RandomHorizontalFlip`` draw them.

    Area and shape are tried until they fit the image; after :data:`TRIES` the largest crop of an allowed
    shape in its centre is taken.

    Args:
        sizes: [n,2], height and width of each image.
        draws: numbers of :func:`uniform`.
        strength: below 1, crops are of 1 - 0.92 * strength of the image or more and so much nearer to a
            square, and as many fewer are mirrored.
    """
    least, stretch = 1 - strength * (1 - LEAST_AREA), STRETCH**strength
    high, wide = sizes[:, :1], sizes[:, 1:]
    area = (least + (1 - least) * draws[:, :TRIES]) * high * wide
    ratio = np.exp(math.log(stretch) * (2 * draws[:, TRIES : 2 * TRIES] - 1))
    height, width = (np.rint(np.sqrt(side)).astype(np.int64) for side in (area / ratio, area * ratio))
    fits = (width > 0) & (width <= wide) & (height > 0) & (height <= high)
    taken = np.where(fits.any(1), fits.argmax(1), -1)
    rows = np.arange(len(sizes))
    shape = np.stack((height[rows, taken], width[rows, taken]), axis=1)
    shape[taken < 0] = _largest(sizes[taken < 0], stretch)
    room = sizes - shape
    at = np.where(taken[:, None] < 0, room // 2, draws[:, 2 * TRIES : 2 * TRIES + 2] * (room + 1))
    return Crops(np.concatenate((at.astype(np.int64), shape), axis=1), draws[:, -1] < strength / 2)


def _largest(sizes: NDArray[np.int64], stretch: float) -> NDArray[np.int64]:
    """Return height and width [n,2] of the largest crop of an allowed shape."""
    high, wide = sizes[:, 0], sizes[:, 1]
    height = np.minimum(high, np.rint(wide * stretch).astype(np.int64))
    width = np.minimum(wide, np.rint(high * stretch).astype(np.int64))
    return np.stack((height, width), axis=1)
