"""Computes relational knowledge distillation: Park, Kim, Lu, Cho, CVPR 2019, arXiv 1904.05068."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.losses.features import FeatureLoss, Features, FeatureShapes
from trainables.losses.precision import full_precision, without_autocast

SMALLEST_SQUARED_DISTANCE = 1e-12


def distance_relations(embedding: Tensor, squared: bool = False) -> Tensor:
    """Return distances between images over their mean (eqs. 5 and 6): [B,C] -> [B,B], 0 on the diagonal."""
    norm = embedding.square().sum(dim=1)
    distance = norm.unsqueeze(1) + norm.unsqueeze(0) - 2 * embedding @ embedding.T
    distance = distance.clamp(min=SMALLEST_SQUARED_DISTANCE)
    if not squared:
        distance = distance.sqrt()
    images = embedding.shape[0]
    distance = distance.masked_fill(torch.eye(images, dtype=torch.bool, device=distance.device), 0)
    return distance / (distance.sum() / (images * (images - 1)))


def angle_relations(embedding: Tensor) -> Tensor:
    """Return cosines of the angle at image i between those from j and k (eq. 8): [B,C] -> [B,B,B]."""
    direction = F.normalize(embedding.unsqueeze(0) - embedding.unsqueeze(1), dim=2)
    return direction @ direction.transpose(1, 2)


class RelationalKD(FeatureLoss):
    r"""Compares relations among a batch's pooled features: distances in pairs and angles in triplets.

    .. math:: L = \lambda_D\, H\big(\psi_D^S, \psi_D^T\big) + \lambda_A\, H\big(\psi_A^S, \psi_A^T\big)

    with psi the relations of :func:`distance_relations` and :func:`angle_relations` and H the Huber loss,
    averaged over all pairs or triplets (eqs. 5-9 of the paper). The lambdas are the options
    ``distance_weight`` and ``angle_weight``, so the term as a whole has weight 1. Needs two images or more.

    >>> import torch
    >>> maps = torch.ones(2, 16, 8, 8), torch.ones(2, 32, 4, 4)
    >>> features = Features(maps, maps, torch.eye(2, 32))
    >>> shapes = FeatureShapes.of(features)
    >>> RelationalKD(shapes, shapes, 2)(features, features, torch.tensor([0, 1]), torch.arange(2)).item()
    0.0
    """

    def __init__(
        self,
        student: FeatureShapes,
        teacher: FeatureShapes,
        num_samples: int,
        *,
        distance_weight: float = 25.0,
        angle_weight: float = 50.0,
        squared: bool = False,
    ) -> None:
        super().__init__()
        self.distance_weight = distance_weight
        self.angle_weight = angle_weight
        self.squared = squared

    def compare(self, student: Features, teacher: Features, target: Tensor, index: Tensor) -> Tensor:
        s, t = full_precision(student.pooled), full_precision(teacher.pooled)
        with without_autocast(s):
            distance = F.smooth_l1_loss(
                distance_relations(s, self.squared), distance_relations(t, self.squared)
            )
            angle = F.smooth_l1_loss(angle_relations(s), angle_relations(t))
        return self.distance_weight * distance + self.angle_weight * angle
