"""Computes normalised distillation: Yang, Zeng, Li, Zhang, Yuan, Li, ICCV 2023, arXiv 2303.13005."""

from __future__ import annotations

from torch import Tensor

from trainables.losses.class_sets import log_softmax_without, probabilities


def nkd(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    *,
    temperature: float = 1.0,
    gamma: float = 1.5,
    as_released: bool = False,
) -> Tensor:
    r"""Add the cross entropy of the label, trusted as far as the teacher does, and that of the other classes.

    .. math::
        \ell = -p^t_y \log p^s_y - \gamma\, T^2 \sum_{k \ne y} \hat p^t_k \log \hat p^s_k

    p is the softmax at temperature 1; \hat p the softmax at temperature T over the classes other than the
    label y. Both parts are cross entropies, so equal predictions do not give 0.

    SDD's released code meant to drop y from the second sum, but its mask selects every class; with
    ``as_released`` the sum and its softmax run over all K classes, as in the published runs.

    Args:
        student, teacher: logits [N,K].
        target: labels y [N].
        temperature: T > 0, of the second part only.
        gamma: weight of the second part, at least 0.
        as_released: keep y in the second part.

    Returns:
        Losses [N].
    """
    label = target.unsqueeze(-1)
    log_student, log_teacher = (x.log_softmax(dim=-1).gather(-1, label) for x in (student, teacher))
    of_label = (log_teacher.exp() * log_student).squeeze(-1)
    student, teacher = student / temperature, teacher / temperature
    if as_released:
        others = (teacher.softmax(dim=-1) * student.log_softmax(dim=-1)).sum(dim=-1)
    else:
        log_p, log_q = (log_softmax_without(x, label) for x in (teacher, student))
        others = (probabilities(log_p) * log_q).sum(dim=-1)
    return -of_label - gamma * temperature**2 * others
