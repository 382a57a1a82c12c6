"""Computes distributions over some classes, for losses that treat the label, or the top few, apart.

Shape legend: N rows, K classes, k of them in a set that each row has of its own.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.losses.kd import kl_divergence

LEFT_OUT = -1e30
"""A logit so low that its class has probability 0, and no other logit is seen beside it, in float64 too."""


def log_softmax_without(logits: Tensor, classes: Tensor) -> Tensor:
    """Return the log-probabilities [N,K] over all classes but ``classes`` [N,k].

    Those get about :data:`LEFT_OUT`: a probability of 0 and, unlike minus infinity, a difference between
    student and teacher that is a number, so that sums over all K classes are sums over the others.
    """
    return logits.scatter(-1, classes, LEFT_OUT).log_softmax(dim=-1)


def probabilities(log_p: Tensor) -> Tensor:
    """Return the probabilities whose logarithms are given, such as :func:`log_softmax_without` gives.

    A softmax, because exponentials of numbers as low as :data:`LEFT_OUT` take a CPU ten times as long.
    """
    return log_p.softmax(dim=-1)


def kl_of_others(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return KL(p || q) [N] over the classes that :func:`log_softmax_without` has not left out."""
    return (probabilities(log_p) * (log_p - log_q)).sum(dim=-1)


def log_odds(logits: Tensor, log_others: Tensor, members: Tensor, other: Tensor) -> Tensor:
    r"""Return the log-odds [N,1] of the classes ``members`` [N,k] against all others.

    .. math:: \log \frac{\sum_{k \in M} e^{x_k}}{\sum_{k \notin M} e^{x_k}}
        = \log \sum_{k \in M} e^{x_k - x_j} + \log \hat p_j

    \hat p is the softmax over the others and j any one of them (``other`` [N,1]). Exact also where the odds
    are so long that either probability rounds to 1.

    Args:
        logits: x [N,K].
        log_others: log \hat p [N,K], as :func:`log_softmax_without` gives it.
    """
    chosen = logits.gather(-1, torch.cat((members, other), dim=-1))
    gaps = chosen[:, :-1] - chosen[:, -1:]
    of_members = gaps if gaps.shape[-1] == 1 else gaps.logsumexp(dim=-1, keepdim=True)
    return of_members + log_others.gather(-1, other)


def binary_kl(teacher: Tensor, student: Tensor) -> Tensor:
    """Return KL between two yes-or-no distributions given as log-odds of yes, of the same shape as these."""
    log_teacher, log_student = (
        torch.stack((F.logsigmoid(odds), F.logsigmoid(-odds)), dim=-1) for odds in (teacher, student)
    )
    return kl_divergence(log_teacher, log_student)
