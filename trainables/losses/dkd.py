"""Decoupled knowledge distillation: Zhao, Cui, Song, Qiu, Liang, CVPR 2022, arXiv 2203.08679."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from trainables.losses.kd import kl_divergence


def target_mask(target: Tensor, num_classes: int) -> Tensor:
    """[N] labels -> [N,K] bool, true at each sample's label."""
    return target.unsqueeze(-1) == torch.arange(num_classes, device=target.device)


def log_softmax_of_others(logits: Tensor, mask: Tensor) -> Tensor:
    """Log-probabilities over the classes outside ``mask`` [N,K]; -inf inside it."""
    return logits.masked_fill(mask, -torch.inf).log_softmax(dim=-1)


def dkd(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 8.0,
    temperature: float = 4.0,
) -> Tensor:
    r"""KD split into what is said of the target class and what is said of the others, for each sample.

    .. math::
        \ell = T^2 (\alpha\, \mathrm{KL}(b^t \| b^s) + \beta\, \mathrm{KL}(\hat p^t \| \hat p^s))

    b = (p_y, 1 - p_y) is the softened probability of the label y against all others (TCKD); \hat p the
    softened distribution over the classes other than y, normalised to 1 (NCKD); eq. 7 of the paper. KD is
    the case alpha = 1, beta = 1 - p^t_y. Logarithms and log-odds are used throughout, so a prediction so
    confident that p_y rounds to 1 still has its exact loss and gradient.

    Args:
        student, teacher: logits [N,K].
        target: labels y [N].
        alpha, beta: weights of the two parts, at least 0.
        temperature: T > 0.

    Returns:
        Losses [N].
    """
    mask = target_mask(target, student.shape[-1])
    student, teacher = student / temperature, teacher / temperature
    of_target = kl_divergence(_target_against_rest(teacher, mask), _target_against_rest(student, mask))
    # At the label both sides are -inf; set to 0 on both, the probability there being 0 as well.
    log_teacher = log_softmax_of_others(teacher, mask)
    gap = log_teacher.masked_fill(mask, 0) - log_softmax_of_others(student, mask).masked_fill(mask, 0)
    of_others = (log_teacher.exp() * gap).sum(dim=-1)
    return temperature**2 * (alpha * of_target + beta * of_others)


def _target_against_rest(logits: Tensor, mask: Tensor) -> Tensor:
    """[N,2]: log p_y and log(1 - p_y), through the log-odds of the label against all other classes."""
    label = logits.masked_fill(~mask, 0).sum(dim=-1)
    log_odds = label - logits.masked_fill(mask, -torch.inf).logsumexp(dim=-1)
    return torch.stack((F.logsigmoid(log_odds), F.logsigmoid(-log_odds)), dim=-1)
