"""Computes DIST: Huang, You, Wang, Qian, Xu, "Knowledge Distillation from a Stronger Teacher", NeurIPS 2022.

arXiv 2205.10536. Shape legend: G groups, each a batch of B images, K classes.
"""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-8


def dist(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    *,
    inter_weight: float = 2.0,
    intra_weight: float = 2.0,
    temperature: float = 4.0,
) -> Tensor:
    r"""Ask for the teacher's relations between classes and between images, not for its probabilities.

    .. math::
        \ell_b = T^2 \Big[ \beta \big(1 - \rho(q_b, p_b)\big)
            + \gamma \Big(1 - \frac1K \sum_k \rho(q_{\cdot k}, p_{\cdot k})\Big) \Big]

    p and q [B,K] are the softened predictions of teacher and student for a batch and rho is Pearson's
    correlation: the first part correlates the classes of one image, the second, for each class, the images of
    the batch (eqs. 8 to 10 of the paper). The second is one number for the batch and is added to the loss of
    each of its images, so that their mean is the published loss. A group is a batch by itself; where scales
    are decoupled, one region of all images.

    Args:
        student, teacher: logits [G,B,K].
        target: labels [G,B]; not used.
        inter_weight, intra_weight: beta and gamma, at least 0.
        temperature: T > 0.

    Returns:
        Losses [G,B].
    """
    # A softmax sums to 1, so its mean over classes is 1 / K and carries no gradient.
    p, q = ((logits / temperature).softmax(dim=-1) - 1 / logits.shape[-1] for logits in (teacher, student))
    inter = 1 - _correlation(q, p, dim=-1)
    q, p = (x - x.mean(dim=-2, keepdim=True) for x in (q, p))
    intra = 1 - _correlation(q, p, dim=-2).mean(dim=-1, keepdim=True)
    return temperature**2 * (inter_weight * inter + intra_weight * intra)


def _correlation(one: Tensor, other: Tensor, dim: int) -> Tensor:
    """Return Pearson's correlation along ``dim`` of what is centred along it; 0 where one does not vary."""
    lengths: Tensor = torch.linalg.vector_norm(one, dim=dim) * torch.linalg.vector_norm(other, dim=dim)
    return (one * other).sum(dim=dim) / (lengths + EPSILON)
