"""Scale decoupled distillation: Wei, Luo, Luo, CVPR 2024, arXiv 2403.13512.

Shape legend: B images, R regions (all cells of all scales), K classes.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from trainables.losses.options import LossError
from trainables.losses.registry import check_scale_decoupled


def complementary_regions(
    teacher: Tensor,
    target: Tensor,
    *,
    agreement: str = "released",
    teacher_global: Tensor | None = None,
) -> Tensor:
    """Which regions tell something that the global view does not, by the teacher's predictions.

    "released": complementary when exactly one of region and global view is right about the label.
    "text": complementary when region and global view name different classes. The two readings differ only
    where both are wrong, in different ways.

    Args:
        teacher: region logits [B,R,K].
        target: labels [B].
        agreement: "released" or "text".
        teacher_global: logits of the global view [B,K]; ``teacher[:, 0]`` if not given.

    Returns:
        [B,R] bool; always false for the global view itself.
    """
    region_class = teacher.argmax(dim=-1)
    global_class = (teacher[:, 0] if teacher_global is None else teacher_global).argmax(dim=-1, keepdim=True)
    if agreement == "text":
        return region_class != global_class
    label = target.unsqueeze(-1)
    return (region_class == label) != (global_class == label)


def scale_decoupled(
    base: Callable[[Tensor, Tensor, Tensor], Tensor],
    student: Tensor,
    teacher: Tensor,
    target: Tensor,
    *,
    consistent_weight: float | Tensor = 1.0,
    complementary_weight: float | Tensor = 2.0,
    reduction: str = "mean",
    agreement: str = "released",
    teacher_global: Tensor | None = None,
) -> Tensor:
    r"""Any per-sample logit loss, lifted to the regions of all scales.

    .. math::
        L = \frac1B \sum_b \frac1R \sum_r w_{br}\, \ell(\pi^S_{br}, \pi^T_{br}, y_b), \qquad
        w_{br} = \beta \text{ if region } r \text{ is complementary, else } w_\mathrm{con}

    with ell the base loss and pi the region logits of student and teacher (eqs. 6-10 of the paper; beta is
    ``complementary_weight``). With reduction "sum" the factor 1/R is left out, which is eq. 9 to the letter;
    the released code takes the mean. The scale set (1,) gives the mean of the base loss.

    The rows of the paper's Table 6 are settings of the two weights (consistent, complementary): (0, 0), and
    (1, 0), (0, 1 or 2), (1, 2).

    Args:
        base: (student [N,K], teacher [N,K], target [N]) -> [N], as ``logit_loss`` returns; called once.
        student, teacher: region logits [B,R,K], the global view first.
        target: labels y [B].
        consistent_weight, complementary_weight: weights, at least 0; scalars on the device if a compiled step
            is to serve several weights.
        reduction: over an image's regions, "mean" or "sum"; over images always the mean.
        agreement: "released" or "text", see :func:`complementary_regions`.
        teacher_global: the teacher's logits of the whole image [B,K]; needed when the scale set has no 1, so
            that the first region is not the global view.

    Returns:
        The loss, a scalar. Nothing that is not finite is replaced.
    """
    given = {
        "consistent_weight": consistent_weight,
        "complementary_weight": complementary_weight,
        "reduction": reduction,
        "agreement": agreement,
    }
    check_scale_decoupled({name: value for name, value in given.items() if not isinstance(value, Tensor)})
    if student.ndim != 3 or student.shape != teacher.shape or target.shape != student.shape[:1]:
        raise LossError(
            f"scale_decoupled: student {tuple(student.shape)} and teacher {tuple(teacher.shape)} must both "
            f"be [B,R,K] and target {tuple(target.shape)} [B]"
        )
    batch, regions, classes = student.shape
    if teacher_global is not None and teacher_global.shape != (batch, classes):
        raise LossError(f"scale_decoupled: teacher_global {tuple(teacher_global.shape)} must be [B,K]")
    loss = base(
        student.reshape(batch * regions, classes),
        teacher.reshape(batch * regions, classes),
        target.unsqueeze(1).expand(batch, regions).reshape(-1),
    ).view(batch, regions)
    complementary = complementary_regions(teacher, target, agreement=agreement, teacher_global=teacher_global)
    weighted = torch.where(complementary, complementary_weight * loss, consistent_weight * loss)
    return weighted.mean() if reduction == "mean" else weighted.sum(dim=1).mean()
