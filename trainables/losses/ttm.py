"""Computes transformed teacher matching, plain and weighted: Zheng, Yang, ICLR 2024, arXiv 2402.11148."""

from __future__ import annotations

from torch import Tensor

from trainables.losses.kd import kl_divergence


def ttm(student: Tensor, teacher: Tensor, target: Tensor, *, gamma: float = 0.1) -> Tensor:
    r"""Match the student, at temperature 1, with the teacher's prediction raised to a power.

    .. math:: \ell = \mathrm{KL}\big(\sigma(\gamma t) \,\|\, \sigma(s)\big)

    A softmax at temperature 1 / gamma is the prediction raised to gamma and normalised. Without temperature
    on the student's side the loss is KD plus a Renyi entropy of the student that keeps it from being too sure
    (section 3 of the paper). There is no factor T^2; the weight of the term makes up for it.

    Args:
        student, teacher: logits s, t [N,K].
        target: labels [N]; not used.
        gamma: exponent of the teacher's prediction, above 0; published runs have it in (0, 1].

    Returns:
        Losses [N].
    """
    return kl_divergence((gamma * teacher).log_softmax(dim=-1), student.log_softmax(dim=-1))


def wttm(student: Tensor, teacher: Tensor, target: Tensor, *, gamma: float = 0.1) -> Tensor:
    r"""Weigh :func:`ttm` by how smooth the teacher's prediction is, image by image.

    .. math:: \ell = U\, \mathrm{KL}\big(\sigma(\gamma t) \,\|\, \sigma(s)\big),
        \qquad U = \sum_k \sigma(t)_k^\gamma

    U grows from 1, where the teacher is sure, to K^{1 - gamma}, where it says nothing.

    Args:
        student, teacher: logits s, t [N,K].
        target: labels [N]; not used.
        gamma: exponent of the teacher's prediction, above 0; published runs have it in (0, 1].

    Returns:
        Losses [N].
    """
    log_powered = (gamma * teacher).log_softmax(dim=-1)
    # \sigma(t)^\gamma = U \sigma(\gamma t) for every class; the most likely one is the same in both.
    log_smoothness = gamma * teacher.log_softmax(dim=-1).amax(dim=-1) - log_powered.amax(dim=-1)
    return log_smoothness.exp() * kl_divergence(log_powered, student.log_softmax(dim=-1))
