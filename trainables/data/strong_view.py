"""Makes a second, strongly augmented view of each image of a batch, on the device.

What it looks like depends on (seed, epoch, image) alone: numbers are outputs of a counter, so that a trial
that goes on, or shares its batches with others, sees what it would have seen.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.data.augment import normalise_planes, pixels_of
from trainables.data.counter import drawn, seed_words
from trainables.data.randaugment import OPERATIONS, RANGES, distorted
from trainables.data.split import Batch

COUNT = 2
"""Operations that an image goes through, one after the other."""

MOST_CUT = 0.5
"""Most of a side that is cut out at last."""

_DRAWN = 4
"""Part of the seed; those before are of :mod:`trainables.data.epoch_plan` and ``mixing``."""


class StrongViews:
    """Shows a batch's images again, distorted by RandAugment, with a square cut out.

    Crop and flip are those of the batch, so that a region of one view shows what the same region of the other
    does, as far as rotations, shears and shifts leave it there. MLKD's and CRLD's code crops and flips anew.

    >>> index = torch.arange(2)
    >>> batch = Batch(torch.zeros(2, 3, 8, 8), index, index, index)
    >>> strong = StrongViews(torch.tensor([0.5, 0.5, 0.5]), torch.tensor([0.2, 0.2, 0.2]))
    >>> strong.begin_epoch(seed=0, epoch=1)
    >>> shown = strong(batch)
    >>> shown.images.shape, bool((strong(batch).images == shown.images).all())
    (torch.Size([2, 3, 8, 8]), True)

    Args:
        mean, std: [3] of pixels in [0, 1], by which images of batches are normalised.
    """

    def __init__(self, mean: Tensor, std: Tensor) -> None:
        self._mean, self._std = mean, std
        self._words = torch.zeros(2, dtype=torch.int64, device=mean.device)
        low, span = zip(*((low, high - low) for low, high in RANGES.values()), strict=True)
        self._low = torch.tensor(low, dtype=torch.float64, device=mean.device)
        self._span = torch.tensor(span, dtype=torch.float64, device=mean.device)

    def begin_epoch(self, seed: int, epoch: int) -> None:
        """Draw from (seed, epoch) from now on; both stay in one place, where a recorded step reads them."""
        self._words.copy_(seed_words(seed, epoch, _DRAWN))

    @torch.no_grad()
    def __call__(self, batch: Batch) -> Batch:
        """Return ``batch`` with the strong views of its images; views are not counted any more."""
        draws = drawn(batch.index, self._words, 2 * COUNT + 3)
        pixels = pixels_of(batch.images, self._mean, self._std)
        for of in range(COUNT):
            operation = (draws[:, 2 * of] * len(OPERATIONS)).long()
            magnitude = self._low[operation] + self._span[operation] * draws[:, 2 * of + 1]
            pixels = distorted(pixels, operation, magnitude)
        images = normalise_planes(pixels, self._mean, self._std)
        images = images.masked_fill(square(draws[:, 2 * COUNT :], images), 0.0)
        return batch._replace(images=images, view=torch.full_like(batch.view, -1))


def square(draws: Tensor, images: Tensor) -> Tensor:
    """Return where images [B,3,H,W] are cut: [B,1,H,W] bool, squares about centres anywhere in the image.

    Args:
        draws: [B,3] in [0, 1): how large each square is, as a part of :data:`MOST_CUT`, and its centre.
    """
    height, width = images.shape[2:]
    size, row, column = draws.unbind(1)
    half = size * MOST_CUT * width / 2
    rows, columns = (torch.arange(side, device=images.device) + 0.5 for side in (height, width))
    far = (rows - (row * height)[:, None]).abs()[:, :, None] >= half[:, None, None]
    aside = (columns - (column * width)[:, None]).abs()[:, None, :] >= half[:, None, None]
    return ~(far | aside)[:, None]
