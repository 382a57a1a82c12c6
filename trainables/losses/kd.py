"""Computes KD: Hinton, Vinyals, Dean, "Distilling the Knowledge in a Neural Network", 2015."""

from __future__ import annotations

from torch import Tensor


def kl_divergence(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return KL(p || q) = sum_k p_k (log p_k - log q_k) over the last dimension, of log-probabilities."""
    return (log_p.exp() * (log_p - log_q)).sum(dim=-1)


def kd(student: Tensor, teacher: Tensor, target: Tensor, *, temperature: float = 4.0) -> Tensor:
    r"""Compute the KL divergence of the softened predictions, for each sample.

    .. math:: \ell_n = T^2\, \mathrm{KL}\big(\sigma(t_n / T) \,\|\, \sigma(s_n / T)\big)

    with s_n, t_n the logits of student and teacher, sigma the softmax and T the temperature. T^2 keeps the
    gradient's size when T changes (section 2 of the paper; eq. 1 of SDD).

    Args:
        student: logits s [N,K].
        teacher: logits t [N,K].
        target: labels [N]; not used.
        temperature: T > 0.

    Returns:
        Losses [N], at least 0, and 0 where both predict the same.
    """
    log_student = (student / temperature).log_softmax(dim=-1)
    log_teacher = (teacher / temperature).log_softmax(dim=-1)
    return temperature**2 * kl_divergence(log_teacher, log_student)
