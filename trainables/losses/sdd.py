"""Computes scale decoupled distillation: Wei, Luo, Luo, CVPR 2024, arXiv 2403.13512.

Shape legend: B images, R regions (all cells of all scales), K classes, V views of each image.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from trainables.losses.lskd import standardised
from trainables.losses.options import LossError
from trainables.losses.registry import check_scale_decoupled


def complementary_regions(
    teacher: Tensor,
    target: Tensor,
    *,
    agreement: str = "released",
    teacher_global: Tensor | None = None,
) -> Tensor:
    """Tell which regions say something that the global view does not, by the teacher's predictions.

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
    standardize: str = "no",
    student_global: Tensor | None = None,
    teacher_global: Tensor | None = None,
) -> Tensor:
    r"""Lift any logit loss to the regions of all scales.

    .. math::
        L = \frac1B \sum_b \frac1R \sum_r w_{br}\, \ell(\pi^S_{br}, \pi^T_{br}, y_b), \qquad
        w_{br} = \beta \text{ if region } r \text{ is complementary, else } w_\mathrm{con}

    with ell the base loss and pi the region logits of student and teacher (eqs. 6-10 of the paper; beta is
    ``complementary_weight``). With reduction "sum" the factor 1/R is left out, which is eq. 9 to the letter;
    the released code takes the mean. The scale set (1,) gives the mean of the base loss.

    The rows of the paper's Table 6 are settings of the two weights (consistent, complementary): (0, 0), and
    (1, 0), (0, 1 or 2), (1, 2).

    Args:
        base: (student [N,K], teacher [N,K], target [N]) -> [N], as ``logit_loss`` returns; called once. A
            ``grouped`` one is called with [R,B,K], so that it compares images at one place only; one of two
            views with [2,N,K] or [2,R,B,K].
        student, teacher: region logits [B,R,K], the global view first; [V,B,R,K] for a base of V views, the
            weak one first. What the teacher says of that one decides which regions are complementary.
        target: labels y [B].
        consistent_weight, complementary_weight: weights, at least 0; scalars on the device if a compiled step
            is to serve several weights.
        reduction: over an image's regions, "mean" or "sum"; over images always the mean.
        agreement: "released" or "text", see :func:`complementary_regions`.
        standardize: what the base gets instead of the logits, see :mod:`trainables.losses.lskd`: "region" for
            those of each region over their own spread, "whole" for all over the spread of the whole image's.
            Which regions are complementary is read off the logits as they are.
        student_global, teacher_global: logits of the whole image [B,K]; needed when the scale set has no 1,
            so that the first region is not the global view; [V,B,K] of views. The student's matter to "whole"
            alone.

    Returns:
        The loss, a scalar. Nothing that is not finite is replaced.
    """
    given = {
        "consistent_weight": consistent_weight,
        "complementary_weight": complementary_weight,
        "reduction": reduction,
        "agreement": agreement,
        "standardize": standardize,
    }
    check_scale_decoupled({name: value for name, value in given.items() if not isinstance(value, Tensor)})
    views = student.shape[:-3]
    viewed = views == () or views == (getattr(base, "views", 1),)
    shaped = viewed and student.ndim >= 3 and student.shape == teacher.shape
    if not shaped or target.shape != student.shape[-3:-2]:
        raise LossError(
            f"scale_decoupled: student {tuple(student.shape)} and teacher {tuple(teacher.shape)} must both "
            f"be [B,R,K] and target {tuple(target.shape)} [B]"
        )
    for side, overall in (("student_global", student_global), ("teacher_global", teacher_global)):
        if overall is not None and overall.shape != student[..., 0, :].shape:
            raise LossError(f"scale_decoupled: {side} {tuple(overall.shape)} must be [B,K]")
    seen = teacher[0] if views else teacher
    whole = teacher_global[0] if views and teacher_global is not None else teacher_global
    complementary = complementary_regions(seen, target, agreement=agreement, teacher_global=whole)
    plain: tuple[Tensor, ...] = ()
    if standardize != "no":
        wholes = standardize == "whole"
        plain = (student, teacher) if getattr(base, "views", 1) > 1 else ()
        student = standardised(student, _whole(student, student_global) if wholes else None)
        teacher = standardised(teacher, _whole(teacher, teacher_global) if wholes else None)
    loss = _of_regions(base, student, teacher, target, plain)
    weighted = torch.where(complementary, complementary_weight * loss, consistent_weight * loss)
    return weighted.mean() if reduction == "mean" else weighted.sum(dim=1).mean()


def _whole(regions: Tensor, overall: Tensor | None) -> Tensor:
    """Return the whole image's logits as a region, [B,1,K]."""
    return regions[..., :1, :] if overall is None else overall.unsqueeze(-2)


def _of_regions(
    base: Callable[..., Tensor], student: Tensor, teacher: Tensor, target: Tensor, plain: tuple[Tensor, ...]
) -> Tensor:
    """Return the losses [B,R] that ``base`` gives for regions [B,R,K], of one view or several."""
    batch, regions = student.shape[-3:-1]
    if getattr(base, "grouped", False):
        places = target.unsqueeze(0).expand(regions, batch)
        of = [logits.transpose(-3, -2) for logits in (student, teacher, *plain)]
        return base(*of[:2], places, *of[2:]).transpose(0, 1)
    of = [logits.flatten(-3, -2) for logits in (student, teacher, *plain)]
    labels = target.unsqueeze(1).expand(batch, regions).reshape(-1)
    return base(*of[:2], labels, *of[2:]).view(batch, regions)
