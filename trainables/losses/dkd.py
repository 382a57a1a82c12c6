"""Computes decoupled knowledge distillation: Zhao, Cui, Song, Qiu, Liang, CVPR 2022, arXiv 2203.08679."""

from __future__ import annotations

from torch import Tensor

from trainables.losses.class_sets import binary_kl, kl_of_others, log_odds, log_softmax_without


def dkd(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 8.0,
    temperature: float = 4.0,
) -> Tensor:
    r"""Split KD into what is said of the target class and what is said of the others, for each sample.

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
    label = target.unsqueeze(-1)
    other = (label + 1) % student.shape[-1]
    student, teacher = student / temperature, teacher / temperature
    of_others = [log_softmax_without(logits, label) for logits in (teacher, student)]
    odds = [log_odds(x, log_p, label, other) for x, log_p in zip((teacher, student), of_others, strict=True)]
    of_target = binary_kl(*odds).squeeze(-1)
    return temperature**2 * (alpha * of_target + beta * kl_of_others(*of_others))
