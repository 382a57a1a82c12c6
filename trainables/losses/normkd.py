"""Computes a loss of normalised logits, each prediction softened by its own spread.

Chi et al., "NormKD: Normalized Logits for Knowledge Distillation", arXiv 2308.00520.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.losses.kd import kl_divergence
from trainables.losses.lskd import spread


def normkd(student: Tensor, teacher: Tensor, target: Tensor, *, temperature: float = 2.0) -> Tensor:
    r"""Soften each prediction by the spread of its own logits, for each sample.

    .. math:: \ell = a^2\, \mathrm{KL}\big(\sigma(t / a) \,\|\, \sigma(s / b)\big),
        \qquad a = T\, \mathrm{std}_k\, t, \quad b = T\, \mathrm{std}_k\, s

    std is over classes with ddof 1. The gradient goes through b too; a carries none. Where all logits are
    equal the prediction is uniform at any temperature, and the spread is taken for 1: a flat teacher's loss
    is still 0 through a^2, and a flat student's gradient is of ordinary size.

    Args:
        student, teacher: logits s, t [N,K].
        target: labels [N]; not used.
        temperature: T > 0.

    Returns:
        Losses [N].
    """
    of_teacher, of_student = _spread(teacher), _spread(student)
    log_teacher = (teacher / (temperature * _divisor(of_teacher))).log_softmax(dim=-1)
    log_student = (student / (temperature * _divisor(of_student))).log_softmax(dim=-1)
    weight = (temperature * of_teacher.squeeze(-1)) ** 2
    return weight * kl_divergence(log_teacher, log_student)


def _spread(logits: Tensor) -> Tensor:
    """Return the spread [N,1] of ``logits``; 0 where it is no more than the rounding of their mean."""
    mean = logits.mean(dim=-1, keepdim=True)
    found = spread(logits - mean)
    return found * (found > 8 * torch.finfo(mean.dtype).eps * mean.abs())


def _divisor(found: Tensor) -> Tensor:
    """Return ``found`` with 1 in place of 0."""
    return found + (found == 0)
