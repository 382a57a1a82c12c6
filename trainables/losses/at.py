"""Computes attention transfer: Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.losses.features import FeatureLoss, Features, FeatureShapes, need_stages
from trainables.losses.precision import full_precision


def attention_transfer(student: Sequence[Tensor], teacher: Sequence[Tensor], power: float = 2.0) -> Tensor:
    r"""Sum the squared differences between the attention maps of paired stages over the stages.

    .. math::
        L = \sum_j \frac{1}{B h_j w_j} \sum \Big( \frac{Q_j^S}{\|Q_j^S\|} - \frac{Q_j^T}{\|Q_j^T\|} \Big)^2,
        \qquad Q_j = \frac1C \sum_c |f_{jc}|^p

    f_j [B,C,h,w] is a stage's map, Q_j its attention, flattened to a vector for each image (section 3.1,
    eq. 2; the mean over positions is mdistiller's and RepDistiller's). Where sizes differ the larger map is
    average-pooled to the smaller.
    """
    losses = []
    for f_s, f_t in zip(student, teacher, strict=False):
        size = (min(f_s.shape[2], f_t.shape[2]), min(f_s.shape[3], f_t.shape[3]))
        gap = _attention(f_s, size, power) - _attention(f_t, size, power)
        losses.append(gap.square().mean())
    return torch.stack(losses).sum()


def _attention(features: Tensor, size: tuple[int, int], power: float) -> Tensor:
    """Return the attention maps of ``features``: [B,C,h,w] -> [B, product of size], rows of length 1."""
    features = full_precision(features)
    if features.shape[2:] != size:
        features = F.adaptive_avg_pool2d(features, size)
    return F.normalize(features.abs().pow(power).mean(dim=1).flatten(1))


class AttentionTransfer(FeatureLoss):
    """Applies :func:`attention_transfer` to all stages after the stem.

    Stages are paired in order from the first; a network with more stages than the other keeps its last ones
    unpaired, as in mdistiller.

    >>> import torch
    >>> maps = torch.ones(2, 16, 8, 8), torch.ones(2, 32, 4, 4)
    >>> features = Features(maps, maps, torch.ones(2, 32))
    >>> shapes = FeatureShapes.of(features)
    >>> AttentionTransfer(shapes, shapes, 2)(features, features, torch.tensor([0, 1]), torch.arange(2)).item()
    0.0
    """

    def __init__(
        self, student: FeatureShapes, teacher: FeatureShapes, num_samples: int, *, power: float = 2.0
    ) -> None:
        super().__init__()
        need_stages("at", 2, student, teacher)
        self.power = power

    def compare(self, student: Features, teacher: Features, target: Tensor, index: Tensor) -> Tensor:
        return attention_transfer(student.maps[1:], teacher.maps[1:], self.power)
