"""Computes local dense relational logit distillation: Xu et al., ICCV 2025, arXiv 2507.15911.

Shape legend: N rows, K classes, k of them in the student's top, P = k (k - 1) / 2 pairs of these.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.losses.class_sets import binary_kl, kl_of_others, log_softmax_without
from trainables.losses.kd import kl_divergence


def ldrld(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    *,
    alpha: float = 10.5,
    beta: float = 7.0,
    top: int = 7,
    temperature: float = 4.0,
) -> Tensor:
    r"""Compare each pair among the student's k most likely classes, and the rest as a whole.

    .. math::
        \ell = \alpha \frac{T^2}{P + 1} \Big( \mathrm{KL}(\hat p^t_U \| \hat p^s_U)
            + \sum_{i < j} w_{ij}\, \mathrm{KL}(\hat p^t_{ij} \| \hat p^s_{ij}) \Big)
            + \beta\, T^2\, \mathrm{KL}(\hat p^t_V \| \hat p^s_V), \qquad
        w_{ij} = \frac{2}{1.5 + |i - j|}\, e^{-0.05 (i + j)}

    U holds the student's top k classes, V the rest, i and j are ranks from 1, and \hat p is the softened
    distribution over the classes of its index alone. U is the student's and changes as it learns, which is
    the released code. With k at least K all classes are in U, and V has no part.

    Args:
        student, teacher: logits s, t [N,K].
        target: labels [N]; not used.
        alpha, beta: weights of the two parts, at least 0.
        top: k, at least 2.
        temperature: T > 0.

    Returns:
        Losses [N].
    """
    top = min(top, student.shape[-1])
    chosen = student.topk(top, dim=-1).indices
    student, teacher = student / temperature, teacher / temperature
    of_teacher, of_student = teacher.gather(-1, chosen), student.gather(-1, chosen)
    ranks: Tensor = torch.triu_indices(top, top, offset=1, device=student.device)
    first, second = ranks[0], ranks[1]
    apart, both = (x.to(student.dtype) for x in (second - first, first + second + 2))
    weights = 2 / (1.5 + apart) * torch.exp(-0.05 * both)
    odds = (logits[:, first] - logits[:, second] for logits in (of_teacher, of_student))
    pairs = (weights * binary_kl(*odds)).sum(dim=-1)
    whole = kl_divergence(of_teacher.log_softmax(dim=-1), of_student.log_softmax(dim=-1))
    local = (whole + pairs) / (len(first) + 1)
    if top == student.shape[-1]:
        return temperature**2 * alpha * local
    rest = kl_of_others(log_softmax_without(teacher, chosen), log_softmax_without(student, chosen))
    return temperature**2 * (alpha * local + beta * rest)
