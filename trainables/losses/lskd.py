"""Standardises logits: Sun, Ren, Li, Wang, Cao, CVPR 2024, arXiv 2403.01427; for any base loss."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from trainables.losses.precision import full_precision

EPSILON = 1e-7


def spread(centred: Tensor) -> Tensor:
    """Return the standard deviation over classes [..., 1], ddof 1, of logits [..., K] whose mean is 0."""
    length: Tensor = torch.linalg.vector_norm(centred, dim=-1, keepdim=True)
    return length / math.sqrt(centred.shape[-1] - 1)


def standardised(logits: Tensor, whole: Tensor | None = None) -> Tensor:
    r"""Return logits with mean 0 and spread 1, which tell the order of classes and not how sure it is.

    .. math:: z(x) = \frac{x - \mathrm{mean}_k\, x}{\mathrm{std}_k\, x + 10^{-7}}

    std has ddof 1 (eq. 10 and algorithm 1 of the paper). Where the spread is 0 the result is 0, and its
    gradient, as the formula has it, 10^7 times that of an ordinary one.

    Given the logits of the ``whole`` image, the spread is theirs, so that a region of which a network is
    unsure stays flatter than one of which it is sure. This is ours, not the paper's.

    Args:
        logits: x [..., K], of regions.
        whole: [..., K] with 1 where ``logits`` has regions, such as [B,1,K] beside [B,R,K].

    Returns:
        The shape of ``logits``, float32, or float64 where that came in.
    """
    logits = full_precision(logits)
    centred = logits - logits.mean(dim=-1, keepdim=True)
    if whole is None:
        return centred / (spread(centred) + EPSILON)
    whole = full_precision(whole)
    return centred / (spread(whole - whole.mean(dim=-1, keepdim=True)) + EPSILON)
