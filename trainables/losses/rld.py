"""Computes RLD: Sun et al., "Knowledge Distillation with Refined Logits", arXiv 2408.07703."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from trainables.losses.class_sets import (
    LEFT_OUT,
    binary_kl,
    kl_of_others,
    log_odds,
    log_softmax_without,
)


def rld(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 8.0,
    temperature: float = 4.0,
    top_temperature: float = 1.0,
) -> Tensor:
    r"""Teach how sure the teacher is of its own class, for the label, and what it says below the label.

    .. math::
        \ell = \alpha\, T_a^2\, \mathrm{KL}\big((p^t_\mathrm{top}, 1 - p^t_\mathrm{top})
            \,\|\, (p^s_y, 1 - p^s_y)\big)
            + \beta\, T^2\, \mathrm{KL}\big(\sigma(t / T)_M \,\|\, \sigma(s / T)_M\big)

    top is the teacher's most likely class and y the label, so that a teacher that is wrong about the image
    still tells how sure one can be. M holds the classes that the teacher ranks below the label, and
    \sigma(.)_M is the softmax over them alone: what a wrong teacher says of the label and of all above it is
    not taught. The first part is at the temperature T_a, ``top_temperature``. Where M is empty, the label
    being ranked lowest, the second part is 0.

    Args:
        student, teacher: logits s, t [N,K].
        target: labels y [N].
        alpha, beta: weights of the two parts, at least 0.
        temperature, top_temperature: T and T_a, above 0.

    Returns:
        Losses [N].
    """
    label, top = target.unsqueeze(-1), teacher.argmax(dim=-1, keepdim=True)
    sure = binary_kl(_odds(teacher / top_temperature, top), _odds(student / top_temperature, label))
    # How far a class lies below the label; -LEFT_OUT where it does not. Sums instead of masks: these are
    # many times slower on CPUs.
    below = F.threshold(teacher.gather(-1, label) - teacher, 0.0, -LEFT_OUT)
    left_out = F.threshold(below, -LEFT_OUT / 2, 0.0)
    log_teacher = (below / -temperature).log_softmax(dim=-1)
    log_student = ((student - left_out) / temperature).log_softmax(dim=-1)
    refined = kl_of_others(log_teacher, log_student)
    return alpha * top_temperature**2 * sure.squeeze(-1) + beta * temperature**2 * refined


def _odds(logits: Tensor, chosen: Tensor) -> Tensor:
    """Return the log-odds [N,1] of the class ``chosen`` [N,1] against all others."""
    other = (chosen + 1) % logits.shape[-1]
    return log_odds(logits, log_softmax_without(logits, chosen), chosen, other)
