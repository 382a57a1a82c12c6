"""Computes probabilistic knowledge transfer: Passalis and Tefas, ECCV 2018, arXiv 1803.10837."""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.losses.features import FeatureLoss, Features, FeatureShapes
from trainables.losses.precision import full_precision, without_autocast

EPSILON = 1e-7


def neighbour_probabilities(embedding: Tensor) -> Tensor:
    """Return, for each image i, the probabilities of each image as its neighbour: [B,C] -> [B,B].

    Cosine similarities, shifted to 0..1 and divided by their row's sum (eqs. 4 and 6 of the paper).
    """
    unit = embedding / (torch.linalg.vector_norm(embedding, dim=1, keepdim=True) + EPSILON)
    similarity = (unit @ unit.T + 1) / 2
    probability: Tensor = similarity / similarity.sum(dim=1, keepdim=True)
    return probability


class ProbabilisticTransfer(FeatureLoss):
    r"""Measures the divergence of the student's neighbourhoods from the teacher's, on pooled features.

    .. math:: L = \frac{1}{B^2} \sum_{ij} p_{ij} \log \frac{p_{ij} + \epsilon}{q_{ij} + \epsilon}

    with p, q the :func:`neighbour_probabilities` of teacher and student and epsilon 1e-7 (eq. 8 of the
    paper; the mean over pairs is RepDistiller's and explains the weight of 30000).

    >>> import torch
    >>> maps = torch.ones(2, 16, 8, 8), torch.ones(2, 32, 4, 4)
    >>> features = Features(maps, maps, torch.ones(2, 32))
    >>> shapes = FeatureShapes.of(features)
    >>> loss = ProbabilisticTransfer(shapes, shapes, 2)
    >>> loss(features, features, torch.tensor([0, 1]), torch.arange(2)).item()
    0.0
    """

    def __init__(self, student: FeatureShapes, teacher: FeatureShapes, num_samples: int) -> None:
        super().__init__()

    def compare(self, student: Features, teacher: Features, target: Tensor, index: Tensor) -> Tensor:
        with without_autocast(student.pooled):
            q = neighbour_probabilities(full_precision(student.pooled))
            p = neighbour_probabilities(full_precision(teacher.pooled))
        return (p * ((p + EPSILON) / (q + EPSILON)).log()).mean()
