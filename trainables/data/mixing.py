"""Mixes the images of a batch two by two, on the device: mixup and CutMix.

What is mixed with what, and how much, is drawn from (seed, epoch, step) alone, so that a trial that goes on
sees what it would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trainables.config.training import Training
from trainables.data.split import Batch

_DRAWN, _PARTNERS = 2, 3
"""Parts of the seed that say what is drawn; those before are of :mod:`trainables.data.epoch_plan`."""


class MixedLabels(NamedTuple):
    """Carries what a mixed image shows beside its first label.

    >>> MixedLabels(torch.tensor([3]), torch.tensor(0.75)).share.item()
    0.75

    Attributes:
        target: [B] int64, label of the image that takes up less.
        share: how much of each image is the other one's, whose label is the batch's; from 1/2 to 1.
    """

    target: Tensor
    share: Tensor


@dataclass(frozen=True, slots=True)
class Mixture:
    """Says how the images of one batch are mixed.

    Attributes:
        kept: share of each image that stays its own.
        box: part that comes from the partner, as fractions (top, bottom, left, right); None to blend all.
    """

    kept: float
    box: tuple[float, float, float, float] | None = None

    def numbers(self, image_size: tuple[int, int]) -> NDArray[np.float32]:
        """Return what :func:`mixed` takes of it, for images of (height, width).

        They are: share of the label that has more, whether that is the image's own (1 or 0), factors of image
        and partner outside of the box, and the box in pixels: top, bottom, left, right.

        >>> Mixture(0.25).numbers((32, 32)).tolist()
        [0.75, 0.0, 0.25, 0.75, 0.0, 0.0, 0.0, 0.0]
        """
        kept, blend, box = self.kept, (self.kept, 1 - self.kept), (0, 0, 0, 0)
        if self.box is not None:
            (height, width), (above, below, before, after) = image_size, self.box
            top, bottom = round(above * height), round(below * height)
            left, right = round(before * width), round(after * width)
            kept = 1 - (bottom - top) * (right - left) / (height * width)
            blend, box = (1.0, 0.0), (top, bottom, left, right)
        return np.array([max(kept, 1 - kept), kept >= 0.5, *blend, *box], dtype=np.float32)


def drawn_mixture(training: Training, seed: int, epoch: int, step: int) -> Mixture | None:
    """Draw how the batch of a step is mixed; None where the training mixes nothing.

    Mixup (Zhang et al., ICLR 2018): x = k * x_1 + (1 - k) * x_2. CutMix (Yun et al., ICCV 2019): a box of
    sides sqrt(1 - k), about a centre drawn evenly and cut at the border, comes from x_2. k is of Beta(a, a)
    with a = ``mixup`` or ``cutmix``; with both, each has half of the steps.

    >>> drawn_mixture(Training(mixup=0.8), seed=0, epoch=1, step=0) == drawn_mixture(
    ...     Training(mixup=0.8), seed=0, epoch=1, step=0
    ... )
    True
    """
    if not training.mixes:
        return None
    rng = np.random.Generator(np.random.PCG64((seed, epoch, _DRAWN, step)))
    coin, row, column = rng.random(3)
    cuts = training.cutmix > 0 and (training.mixup == 0 or coin < 0.5)
    strength = training.cutmix if cuts else training.mixup
    kept = float(rng.beta(strength, strength))
    if not cuts:
        return Mixture(kept)
    half = (1 - kept) ** 0.5 / 2
    top, bottom = max(row - half, 0.0), min(row + half, 1.0)
    left, right = max(column - half, 0.0), min(column + half, 1.0)
    return Mixture(kept, (top, bottom, left, right))


def drawn_partners(count: int, *, seed: int, epoch: int, step: int, rank: int = 0) -> NDArray[np.int64]:
    """Draw the partner of each of ``count`` images of a step's batch: its place in the batch.

    Args:
        rank: of the process, which mixes its own share of the images among themselves.
    """
    rng = np.random.Generator(np.random.PCG64((seed, epoch, _PARTNERS, step, rank)))
    return rng.permutation(count)


def mixed(batch: Batch, partners: Tensor, numbers: Tensor) -> tuple[Batch, MixedLabels]:
    """Mix each image of ``batch`` with another one of it; the device does all of it.

    The label and the position of an image become those of whichever takes up more of it, so that losses which
    know one label take that one. Views are not counted any more.

    Args:
        partners: [B] int64, as :func:`drawn_partners` gives them.
        numbers: [8] float32, as :meth:`Mixture.numbers` gives them.
    """
    share, own_has_more, own, other, top, bottom, left, right = numbers.unbind()
    height, width = batch.images.shape[2:]
    rows = torch.arange(height, device=numbers.device)[:, None]
    columns = torch.arange(width, device=numbers.device)
    inside = (rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)
    partner = batch.images[partners]
    images = torch.where(inside, partner, batch.images * own + partner * other)
    first = own_has_more > 0

    def more(values: Tensor) -> Tensor:
        return torch.where(first, values, values[partners])

    target = batch.target
    labels = MixedLabels(torch.where(first, target[partners], target), share)
    return Batch(images, more(target), more(batch.index), torch.full_like(batch.view, -1)), labels
