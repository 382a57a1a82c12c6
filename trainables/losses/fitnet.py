"""Computes FitNets: Romero, Ballas, Kahou, Chassang, Gatta, Bengio, "Hints for Thin Deep Nets", 2015."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.losses.features import FeatureLoss, Features, FeatureShapes, need_stages
from trainables.losses.precision import full_precision


class FitNet(FeatureLoss):
    r"""Measures the mean squared error of a regression from the student's map of a stage to the teacher's.

    .. math:: L = \frac{1}{B C h w} \| r(f_S) - f_T \|^2

    with f [B,C,h,w] the maps of stage ``layer`` and r a convolution, batch normalisation and ReLU (eq. 3 of
    the paper; the regressor as in mdistiller). For maps of one size the convolution is 1x1; a student's map
    of twice the size takes a 3x3 of stride 2, of half the size a transposed 4x4 of stride 2; any other is
    averaged (or repeated) to the teacher's size after a 1x1.

    >>> student = FeatureShapes(((16, 32, 32), (16, 32, 32), (32, 16, 16)))
    >>> teacher = FeatureShapes(((16, 32, 32), (64, 32, 32), (128, 16, 16)))
    >>> sum(x.numel() for x in FitNet(student, teacher, 100, layer=2).parameters())
    4480
    """

    def __init__(
        self, student: FeatureShapes, teacher: FeatureShapes, num_samples: int, *, layer: int = 2
    ) -> None:
        super().__init__()
        need_stages("fitnet.layer", layer + 1, student, teacher)
        self.layer = layer
        channels, *_ = student.maps[layer]
        teacher_channels, *_ = teacher.maps[layer]
        self.size = teacher.maps[layer][1:]
        self.project = _projection(channels, teacher_channels, student.maps[layer][1:], self.size)
        self.norm = nn.BatchNorm2d(teacher_channels)

    def compare(self, student: Features, teacher: Features, target: Tensor, index: Tensor) -> Tensor:
        projected = self.project(full_precision(student.maps[self.layer]))
        if projected.shape[2:] != self.size:
            projected = F.adaptive_avg_pool2d(projected, self.size)
        hint = F.relu(self.norm(projected))
        return F.mse_loss(full_precision(hint), full_precision(teacher.maps[self.layer]))


def _projection(
    channels: int, out_channels: int, size: tuple[int, int], out_size: tuple[int, int]
) -> nn.Module:
    if size == (2 * out_size[0], 2 * out_size[1]):
        return nn.Conv2d(channels, out_channels, kernel_size=3, stride=2, padding=1)
    if out_size == (2 * size[0], 2 * size[1]):
        return nn.ConvTranspose2d(channels, out_channels, kernel_size=4, stride=2, padding=1)
    return nn.Conv2d(channels, out_channels, kernel_size=1)
