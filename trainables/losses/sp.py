"""Computes similarity-preserving distillation, also by scale: Tung, Mori, ICCV 2019, arXiv 1907.09682."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from trainables.losses.features import FeatureLoss, Features, FeatureShapes
from trainables.losses.precision import full_precision, without_autocast
from trainables.models.multiscale import pool_regions


def similarity_preserving(student: Tensor, teacher: Tensor) -> Tensor:
    r"""Measure how far the similarities between a batch's images differ, for each of R sets of features.

    .. math:: L_r = \frac{1}{B^2} \| \tilde G_r^S - \tilde G_r^T \|_F^2, \qquad G_r = A_r A_r^\top

    A_r [B,D] holds an image's features in a row and \tilde G is G with rows of length 1 (eqs. 1-4 of the
    paper). The two networks may have different D.

    Args:
        student, teacher: features A, [R,B,D] each with its own D.

    Returns:
        Losses [R].
    """
    with without_autocast(student):
        gap = _row_normalised_gram(student) - _row_normalised_gram(teacher)
    return gap.square().mean(dim=(1, 2))


def _row_normalised_gram(rows: Tensor) -> Tensor:
    rows = full_precision(rows)
    return F.normalize(rows @ rows.transpose(1, 2), dim=2)


class SimilarityPreserving(FeatureLoss):
    """Applies :func:`similarity_preserving` to the last stage's whole map, flattened (as in mdistiller).

    >>> import torch
    >>> maps = torch.ones(2, 16, 8, 8), torch.ones(2, 32, 4, 4)
    >>> features = Features(maps, maps, torch.ones(2, 32))
    >>> shapes = FeatureShapes.of(features)
    >>> loss = SimilarityPreserving(shapes, shapes, 2)
    >>> loss(features, features, torch.tensor([0, 1]), torch.arange(2)).item()
    0.0
    """

    def __init__(self, student: FeatureShapes, teacher: FeatureShapes, num_samples: int) -> None:
        super().__init__()

    def compare(self, student: Features, teacher: Features, target: Tensor, index: Tensor) -> Tensor:
        rows = (features.maps[-1].flatten(1).unsqueeze(0) for features in (student, teacher))
        return similarity_preserving(*rows).sum()


class MultiScaleSimilarity(FeatureLoss):
    """Decouples SP by scale, "SDD-SP" of SDD's Table A2: each cell of each grid is compared by itself.

    The final map is averaged in each of the R cells of all ``scales`` (eq. 6 of SDD, on features instead of
    logits), :func:`similarity_preserving` compares the batch's images there, and ``reduction`` is taken over
    the cells. The scale set (1,) is SP on the pooled features. Cells carry equal weight: features have no
    class that could agree with the global one.

    >>> import torch
    >>> maps = torch.ones(2, 16, 8, 8), torch.ones(2, 32, 4, 4)
    >>> features = Features(maps, maps, torch.ones(2, 32))
    >>> shapes = FeatureShapes.of(features)
    >>> loss = MultiScaleSimilarity(shapes, shapes, 2, scales=(1, 2))
    >>> loss(features, features, torch.tensor([0, 1]), torch.arange(2)).item()
    0.0
    """

    def __init__(
        self,
        student: FeatureShapes,
        teacher: FeatureShapes,
        num_samples: int,
        *,
        scales: tuple[int, ...] = (1, 2, 4),
        reduction: str = "mean",
    ) -> None:
        super().__init__()
        self.scales = scales
        self.reduction = reduction

    def compare(self, student: Features, teacher: Features, target: Tensor, index: Tensor) -> Tensor:
        cells = (
            pool_regions(full_precision(features.final), self.scales).transpose(0, 1)
            for features in (student, teacher)
        )
        losses = similarity_preserving(*cells)
        return losses.mean() if self.reduction == "mean" else losses.sum()
