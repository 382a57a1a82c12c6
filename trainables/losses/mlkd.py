"""Computes MLKD: Jin, Wang, Lin, "Multi-Level Logit Distillation", CVPR 2023.

Shape legend: G groups, each a batch of B images, K classes.
"""

from __future__ import annotations

from torch import Tensor

from trainables.losses.kd import kd

BESIDE = ((2.0, False), (3.0, True), (5.0, True), (6.0, False))
"""Temperatures beside the one that is an option, and whether the released code takes strong views there."""


def mlkd(
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    student_logits: Tensor,
    teacher_logits: Tensor,
    *,
    temperature: float = 4.0,
    as_released: bool = True,
) -> Tensor:
    r"""Compare predictions at five temperatures: of each image, between images, and between classes.

    .. math::
        \ell_b = \sum_T m_b \mathrm{KD}_T(s^w_b, t^w_b) + \mathrm{KD}_T(s^s_b, t^s_b)
            + m_b \sum_i \big(p_b p_i^\top - q_b q_i^\top\big)^2
            + \frac1K \sum_{kl} c_k \big((p^\top p)_{kl} - (q^\top q)_{kl}\big)^2

    with s^w, t^w and s^s, t^s the logits of student and teacher for the weak and the strong view, KD with its
    T^2, and p and q [B,K] the softened predictions of teacher and student for the weak views of the batch; m
    is 1 for the half of the images, c for the half of the classes, of which the teacher is less sure: by the
    largest probability of an image, by the sum of a class over the batch. The last part is one number for the
    batch and is added to the loss of each of its images, so that their mean is the published loss.

    ``as_released`` is what published numbers are of. There each m_b and c_k is their mean, near 1/2, as they
    multiply parts that are averaged already; and at temperatures 2 and 6 the second part is of weak views.
    Batch and class terms of strong views are computed there and dropped, in both forms here they are absent.

    Args:
        student, teacher: logits [2,G,B,K], the weak view first; standardised where that is asked for, which
            concerns the first two parts.
        target: labels [G,B]; not used.
        student_logits, teacher_logits: the same as they are.
        temperature: T > 0 of the first comparison.
        as_released: see above.

    Returns:
        Losses [G,B], at least 0 but for rounding.
    """
    (s_weak, s_strong), (t_weak, t_strong) = student, teacher
    sure = teacher_logits[0].double().softmax(dim=-1)  # which half is which hangs on no rounding
    halves = (_lower_half(sure.amax(dim=-1)), _lower_half(sure.sum(dim=-2)))
    images, classes = (half.to(teacher.dtype) for half in halves)
    if as_released:
        images, classes = (half.mean(dim=-1, keepdim=True) for half in (images, classes))
    parts = []
    for degrees, of_strong_views in ((temperature, True), *BESIDE):
        of_weak = kd(s_weak, t_weak, target, temperature=degrees)
        weak_again = as_released and not of_strong_views
        of_strong = of_weak if weak_again else kd(s_strong, t_strong, target, temperature=degrees)
        p, q = ((logits[0] / degrees).softmax(dim=-1) for logits in (teacher_logits, student_logits))
        between_images = (p @ p.mT - q @ q.mT).square().sum(dim=-1)
        of_batch = _between_classes(p, q, classes) / p.shape[-1]
        parts.append(images * (of_weak + between_images) + of_strong + of_batch)
    total: Tensor = sum(parts[1:], parts[0])
    return total


def _between_classes(p: Tensor, q: Tensor, weights: Tensor) -> Tensor:
    r"""Return the weighted squares of the classes' products, of p and q [G,B,K], summed: [G,1].

    .. math::
        \sum_{kl} c_k \big((p^\top p)_{kl} - (q^\top q)_{kl}\big)^2
            = \mathrm{tr}\, C (p^\top p - q^\top q)^2, \quad C = \mathrm{diag}(c)

    from products of images: [B,B] where those of classes are [K,K], which for a thousand classes is all that
    the loss takes time for. Parts that cancel leave a rounding error of their size.
    """

    def part(one: Tensor, other: Tensor) -> Tensor:
        weighted = one * weights.unsqueeze(-2)
        return ((weighted @ other.mT) * (one @ other.mT)).sum(dim=(-2, -1))

    return (part(p, p) - 2 * part(p, q) + part(q, q)).unsqueeze(-1)


def _lower_half(values: Tensor) -> Tensor:
    """Return 1 for what is at most the median of the last dimension, the mean of two middle ones, else 0."""
    ordered, count = values.sort(dim=-1).values, values.shape[-1]
    median = (ordered[..., (count - 1) // 2] + ordered[..., count // 2]) / 2
    return (values <= median.unsqueeze(-1)).to(values.dtype)
