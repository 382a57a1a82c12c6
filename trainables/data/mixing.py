"""Mixes the images of a batch two by two, on the device: mixup and CutMix.

What is mixed with what, and how much, is drawn from (seed, epoch, step) alone, so that a trial that goes on
sees what it would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
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


def mixed(
    batch: Batch, mixture: Mixture, *, seed: int, epoch: int, step: int, rank: int = 0
) -> tuple[Batch, MixedLabels]:
    """Mix each image of ``batch`` with another one of it.

    The label and the position of an image become those of whichever takes up more of it, so that losses which
    know one label take that one. Views are not counted any more.

    Args:
        rank: of the process, which mixes its own share of the images among themselves.
    """
    device = batch.images.device
    rng = np.random.Generator(np.random.PCG64((seed, epoch, _PARTNERS, step, rank)))
    partner = torch.from_numpy(rng.permutation(len(batch.target))).to(device)
    kept = mixture.kept
    if mixture.box is None:
        images = batch.images * kept + batch.images[partner] * (1 - kept)
    else:
        height, width = batch.images.shape[2:]
        top, bottom = (round(edge * height) for edge in mixture.box[:2])
        left, right = (round(edge * width) for edge in mixture.box[2:])
        images = batch.images.clone()
        images[:, :, top:bottom, left:right] = batch.images[partner, :, top:bottom, left:right]
        kept = 1 - (bottom - top) * (right - left) / (height * width)
    more, less = (slice(None), partner) if kept >= 0.5 else (partner, slice(None))
    labels = MixedLabels(batch.target[less], torch.tensor(max(kept, 1 - kept), device=device))
    views = torch.full_like(batch.view, -1)
    return Batch(images, batch.target[more], batch.index[more], views), labels
