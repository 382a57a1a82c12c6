"""Computes generalised decoupling, of two and three sets of classes: Zheng, Cheng, TNNLS, arXiv 2512.04625.

Shape legend: N rows, K classes, k of them in the teacher's top.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.losses.class_sets import binary_kl, kl_of_others, log_odds, log_softmax_without
from trainables.losses.kd import kl_divergence


def gdkd(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    *,
    top: int = 5,
    group_weight: float = 1.0,
    top_weight: float = 1.0,
    rest_weight: float = 8.0,
    temperature: float = 4.0,
) -> Tensor:
    r"""Split KD at the teacher's k most likely classes, for each sample.

    .. math::
        \ell = T^2 \big( w_0\, \mathrm{KL}(P^t \| P^s) + w_1\, \mathrm{KL}(\hat p^t_U \| \hat p^s_U)
            + w_2\, \mathrm{KL}(\hat p^t_V \| \hat p^s_V) \big)

    U holds the teacher's top k classes and V the rest; P = (p_U, p_V) are the softened probabilities of the
    two sets, and \hat p_U the softened distribution within one of them. KD is the case w_0 = 1, w_1 = p^t_U,
    w_2 = p^t_V; DKD is k = 1 with a teacher that is right. No label is needed. With k at least K all classes
    are in U, and only its part is left.

    Args:
        student, teacher: logits s, t [N,K].
        target: labels [N]; not used.
        top: k, at least 1.
        group_weight, top_weight, rest_weight: w_0, w_1, w_2, at least 0.
        temperature: T > 0.

    Returns:
        Losses [N].
    """
    ranked = ranked_classes(teacher, top)
    student, teacher = student / temperature, teacher / temperature
    chosen, other = ranked[:, :top], ranked[:, -1:]
    of_top = top_weight * kl_within(teacher, student, chosen)
    if ranked.shape[-1] == chosen.shape[-1]:
        return temperature**2 * of_top
    rest = [log_softmax_without(logits, chosen) for logits in (teacher, student)]
    odds = [log_odds(x, log_p, chosen, other) for x, log_p in zip((teacher, student), rest, strict=True)]
    of_groups = group_weight * binary_kl(*odds).squeeze(-1)
    return temperature**2 * (of_groups + of_top + rest_weight * kl_of_others(*rest))


def gdkd3(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    *,
    top: int = 4,
    group_weight: float = 1.0,
    top_weight: float = 1.0,
    rest_weight: float = 8.0,
    temperature: float = 4.0,
) -> Tensor:
    r"""Split KD as :func:`gdkd` does, with the teacher's first class a set of its own.

    .. math::
        \ell = T^2 \big( w_0\, \mathrm{KL}(P^t \| P^s) + w_1\, \mathrm{KL}(\hat p^t_U \| \hat p^s_U)
            + w_2\, \mathrm{KL}(\hat p^t_V \| \hat p^s_V) \big)

    The sets are {1st}, U = {2nd, ..., kth} and V, the rest, by the teacher's ranking, and P has three
    probabilities. Sets that k or K leave empty have no part.

    Args:
        student, teacher: logits s, t [N,K].
        target: labels [N]; not used.
        top: k, at least 1.
        group_weight, top_weight, rest_weight: w_0, w_1, w_2, at least 0.
        temperature: T > 0.

    Returns:
        Losses [N].
    """
    ranked = ranked_classes(teacher, top)
    student, teacher = student / temperature, teacher / temperature
    first, chosen, other = ranked[:, :1], ranked[:, 1:top], ranked[:, -1:]
    groups = [[logits.gather(-1, first).squeeze(-1)] for logits in (teacher, student)]
    parts: list[Tensor] = []
    if chosen.shape[-1]:
        parts.append(top_weight * kl_within(teacher, student, chosen))
        for logits, group in zip((teacher, student), groups, strict=True):
            group.append(logits.gather(-1, chosen).logsumexp(dim=-1))
    if ranked.shape[-1] > top:
        rest = [log_softmax_without(logits, ranked[:, :top]) for logits in (teacher, student)]
        parts.append(rest_weight * kl_of_others(*rest))
        for logits, log_p, group in zip((teacher, student), rest, groups, strict=True):
            group.append((logits.gather(-1, other) - log_p.gather(-1, other)).squeeze(-1))
    log_groups = [torch.stack(group, dim=-1).log_softmax(dim=-1) for group in groups]
    parts.append(group_weight * kl_divergence(*log_groups))
    return temperature**2 * torch.stack(parts).sum(dim=0)


def ranked_classes(logits: Tensor, top: int) -> Tensor:
    """Return the classes of the ``top`` highest logits [N,K] and the one after them, as far as there are."""
    return logits.topk(min(top + 1, logits.shape[-1]), dim=-1).indices


def kl_within(teacher: Tensor, student: Tensor, classes: Tensor) -> Tensor:
    """Return KL [N] between the distributions over ``classes`` [N,k] alone."""
    return kl_divergence(*(logits.gather(-1, classes).log_softmax(dim=-1) for logits in (teacher, student)))
