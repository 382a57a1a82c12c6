"""Computes one-for-all distillation's part on logits: Hao et al., NeurIPS 2023, arXiv 2310.19444."""

from __future__ import annotations

import torch
from torch import Tensor


def ofa(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    *,
    exponent: float = 1.5,
    temperature: float = 1.0,
) -> Tensor:
    r"""Raise the teacher's say on the label, so that networks of other kinds learn the label before the rest.

    .. math::
        \ell = -\big[(1 + p_y)^\varepsilon - 1\big] \log q_y - \sum_{k \ne y} p_k^\varepsilon \log q_k,
        \qquad p = \sigma(t / T), \quad q = \sigma(s / T)

    with epsilon the ``exponent``: at 1 the cross entropy between p and q, above 1 the more weight on the
    label the less sure the teacher is of it (eq. 7 of the paper). No factor T^2. The method as published puts
    this loss on a head of each stage as well; here it is on the logits it is given, of regions where scales
    are decoupled.

    Args:
        student, teacher: logits s, t [N,K].
        target: labels y [N].
        exponent: above 0; published runs have it in [1, 1.5].
        temperature: T > 0.

    Returns:
        Losses [N].
    """
    label = target.unsqueeze(-1)
    log_p = (teacher / temperature).log_softmax(dim=-1)
    log_q = (student / temperature).log_softmax(dim=-1)
    of_label = torch.expm1(exponent * log_p.gather(-1, label).exp().log1p())
    weights = (exponent * log_p).exp().scatter(-1, label, of_label)
    return -(weights * log_q).sum(dim=-1)
