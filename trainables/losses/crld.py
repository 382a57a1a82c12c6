"""Computes CRLD: Zhang, Liu, Cai, Ma, "Cross-View Consistency Regularisation for Knowledge Distillation".

ACM MM 2024, arXiv 2412.16493.
"""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.losses.kd import kl_divergence


def crld(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    student_logits: Tensor,
    teacher_logits: Tensor,
    *,
    temperature: float = 4.0,
    within_weight: float = 2.0,
    across_weight: float = 0.5,
    weak_confidence: float = 0.9,
    strong_confidence: float = 0.2,
) -> Tensor:
    r"""Learn from the teacher's answers to both views of an image, each beside its own view and the other.

    .. math::
        \ell_n = w\, [\max p^w_n \ge \tau_w]\, \big(\mathrm{KD}(s^w_n, t^w_n) + \mathrm{KD}(s^s_n, t^s_n)\big)
            + a\, [\max p^s_n \ge \tau_s]\, \big(\mathrm{KD}(s^s_n, t^w_n) + \mathrm{KD}(s^w_n, t^s_n)\big)

    with s^w, t^w the logits of student and teacher for the weak view and s^s, t^s those for the strong one,
    KD that of :func:`trainables.losses.kd.kd` with its T^2, and p the teacher's prediction at temperature 1:
    where it is not sure, an image, or a region of one, teaches nothing. The cross-entropy of both views is
    part of the method and not of this term. (Formula and weights are those of the released code.)

    Args:
        student, teacher: logits [2,N,K], the weak view first; standardised where that is asked for.
        target: labels [N]; not used.
        student_logits, teacher_logits: the same as they are; the teacher's say how sure it is.
        temperature: T > 0.
        within_weight, across_weight: w and a, at least 0.
        weak_confidence, strong_confidence: tau, the least probability that the teacher gives its own class.

    Returns:
        Losses [N], at least 0, and 0 where student and teacher predict the same of both views.
    """
    weak, strong = teacher_logits.softmax(dim=-1).amax(dim=-1).unbind()
    log_student, log_teacher = ((logits / temperature).log_softmax(dim=-1) for logits in (student, teacher))
    within = kl_divergence(log_teacher, log_student).sum(dim=0)
    across = kl_divergence(log_teacher, log_student.flip(0)).sum(dim=0)
    within = torch.where(weak < weak_confidence, 0.0, within)  # what is not a number is neither, and shows
    across = torch.where(strong < strong_confidence, 0.0, across)
    return temperature**2 * (within_weight * within + across_weight * across)
