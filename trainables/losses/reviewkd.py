"""Computes knowledge review: Chen, Liu, Zhao, Jia, "Distilling Knowledge via Knowledge Review", CVPR 2021.

Shape legend: B images, C channels, M channels of the fused maps, h and w the size of a map.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.losses.features import FeatureLoss, Features, FeatureShapes, need_stages
from trainables.losses.precision import full_precision

PYRAMID = (4, 2, 1)


def hierarchical_context(student: Tensor, teacher: Tensor) -> Tensor:
    r"""Compute HCL: weighted squared differences of two maps and of their averages on coarser grids.

    .. math:: L = \frac{\sum_l 2^{-l}\, \mathrm{MSE}(\mathrm{pool}_l(s), \mathrm{pool}_l(t))}{\sum_l 2^{-l}}

    pool_0 leaves the maps [B,C,h,w] as they are; then follow the grids 4x4, 2x2 and 1x1 as far as they are
    smaller than the map (section 3.4 and figure 3b of the paper).
    """
    loss, weight, total = F.mse_loss(student, teacher), 1.0, 1.0
    for grid in (grid for grid in PYRAMID if grid < student.shape[2]):
        weight /= 2
        gap = F.mse_loss(F.adaptive_avg_pool2d(student, grid), F.adaptive_avg_pool2d(teacher, grid))
        loss = loss + weight * gap
        total += weight
    return loss / total


class AttentionFusion(nn.Module):
    """Fuses a student's map [B,C,h,w] with what all deeper stages gave [B,M,...] (ABF, figure 3a)."""

    def __init__(
        self, channels: int, fused: int, out_channels: int, size: tuple[int, int], *, deepest: bool
    ) -> None:
        super().__init__()
        self.size = size
        reduce = nn.Conv2d(channels, fused, 1, bias=False)
        expand = nn.Conv2d(fused, out_channels, 3, padding=1, bias=False)
        for convolution in (reduce, expand):
            nn.init.kaiming_uniform_(convolution.weight, a=1)
        self.reduce = nn.Sequential(reduce, nn.BatchNorm2d(fused))
        self.expand = nn.Sequential(expand, nn.BatchNorm2d(out_channels))
        self.attention = None if deepest else nn.Conv2d(2 * fused, 2, 1)

    def forward(self, x: Tensor, deeper: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return the map to compare with the teacher's [B,C_T,*size], and the one for the stage before."""
        x = self.reduce(x)
        if self.attention is not None and deeper is not None:
            deeper = F.interpolate(deeper, x.shape[2:], mode="nearest").to(x.dtype)
            share = self.attention(torch.cat((x, deeper), dim=1)).sigmoid()
            x = x * share[:, :1] + deeper * share[:, 1:]
        if x.shape[2:] != self.size:
            x = F.interpolate(x, self.size, mode="nearest")
        return self.expand(x), x


class KnowledgeReview(FeatureLoss):
    r"""Teaches every teacher stage to the student's stages up to it, from the deepest to the first.

    .. math:: L = \sum_j \mathrm{HCL}\big( \mathrm{ABF}_{j}(f^S_j, \mathrm{fused}_{j+1}),\; f^T_j \big)

    over the pooled final map and the stages after the stem (eq. 8 of the paper), with f^S after its ReLU
    (before it with ``student_preactivations``) and f^T before its ReLU. Networks with different numbers of
    stages are paired from the last one. M is the channels of the student's pooled features, at most
    ``max_channels``. mdistiller warms this term up over 20 epochs.

    >>> shapes = FeatureShapes(((16, 32, 32), (16, 32, 32), (32, 16, 16), (64, 8, 8)))
    >>> any(parameter.requires_grad for parameter in KnowledgeReview(shapes, shapes, 100).parameters())
    True
    """

    def __init__(
        self,
        student: FeatureShapes,
        teacher: FeatureShapes,
        num_samples: int,
        *,
        max_channels: int = 512,
        student_preactivations: bool = False,
    ) -> None:
        super().__init__()
        need_stages("reviewkd", 2, student, teacher)
        self.student_preactivations = student_preactivations
        self.stages = min(len(student.maps), len(teacher.maps)) - 1
        fused = min(max_channels, student.pooled)
        pairs = [((student.pooled, 1, 1), (teacher.pooled, 1, 1))]
        pairs += zip(
            reversed(student.maps[-self.stages :]), reversed(teacher.maps[-self.stages :]), strict=True
        )
        self.fusions = nn.ModuleList(
            AttentionFusion(s[0], fused, t[0], t[1:], deepest=level == 0)
            for level, (s, t) in enumerate(pairs)
        )

    def compare(self, student: Features, teacher: Features, target: Tensor, index: Tensor) -> Tensor:
        maps = student.preactivations if self.student_preactivations else student.maps
        from_student = [student.pooled[:, :, None, None], *reversed(maps[-self.stages :])]
        from_teacher = [teacher.pooled[:, :, None, None], *reversed(teacher.preactivations[-self.stages :])]
        losses, fused = [], None
        for fusion, s, t in zip(self.fusions, from_student, from_teacher, strict=True):
            reviewed, fused = fusion(full_precision(s), fused)
            losses.append(hierarchical_context(full_precision(reviewed), full_precision(t)))
        return torch.stack(losses).sum()
