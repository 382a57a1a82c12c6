"""Defines bottleneck ResNets for small images: four stages, a 3x3 stem, a 4x4 map for 32x32 images.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016; with blocks (3, 4, 6, 3) it is the
``ResNet50`` of the CIFAR-100 tables, under the keys of its published teacher file (``shortcut``, ``linear``).
The ResNet50 of the ImageNet tables is ``torchvision:resnet50``.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.config.method import MapKind
from trainables.config.trial import LargeImages
from trainables.models.backbone import (
    Backbone,
    StageMaps,
    conv,
    he_init,
    run_stage,
    stem_conv,
    stem_for,
    stem_pool,
)

__all__ = ["BottleneckResNet"]

EXPANSION = 4


class Bottleneck(nn.Module):
    """Adds 1x1, 3x3 and 1x1 convolutions to a skip; returns the sum before its ReLU."""

    def __init__(self, cin: int, width: int, stride: int) -> None:
        super().__init__()
        cout = EXPANSION * width
        self.conv1 = conv(cin, width, 1)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = conv(width, width, 3, stride)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = conv(width, cout, 1)
        self.bn3 = nn.BatchNorm2d(cout)
        self.shortcut: nn.Module | None = None
        if stride != 1 or cin != cout:
            self.shortcut = nn.Sequential(conv(cin, cout, 1, stride), nn.BatchNorm2d(cout))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.bn3(self.conv3(out))
        return out + (x if self.shortcut is None else self.shortcut(x))


class BottleneckResNet(Backbone):
    """Has `blocks` a stage, stages of 256, 512, 1024 and 2048 channels. Five maps in :class:`StageMaps`.

    >>> BottleneckResNet(10, blocks=(1, 1, 1, 1)).feature_channels
    2048
    """

    classifier_key = "linear"

    def __init__(
        self,
        num_classes: int,
        image_size: int = 32,
        large_images: LargeImages = "pooled",
        *,
        blocks: Sequence[int],
    ) -> None:
        super().__init__()
        self.stem = stem_for(image_size, large_images)
        self.conv1 = stem_conv(64, self.stem)
        self.bn1 = nn.BatchNorm2d(64)
        self.layer1 = _stage(64, 64, blocks[0], stride=1)
        self.layer2 = _stage(256, 128, blocks[1], stride=2)
        self.layer3 = _stage(512, 256, blocks[2], stride=2)
        self.layer4 = _stage(1024, 512, blocks[3], stride=2)
        self.linear = nn.Linear(2048, num_classes)
        self.feature_channels = 2048
        he_init(self)

    def forward_stages(self, x: Tensor, kind: MapKind = "released") -> StageMaps:
        pre0 = self.bn1(self.conv1(x))
        map0 = F.relu(pre0)
        map1, pre1 = run_stage(self.layer1, stem_pool(map0, self.stem))
        map2, pre2 = run_stage(self.layer2, map1)
        map3, pre3 = run_stage(self.layer3, map2)
        map4, pre4 = run_stage(self.layer4, map3)
        return StageMaps((map0, map1, map2, map3, map4), (pre0, pre1, pre2, pre3, pre4))


def _stage(cin: int, width: int, blocks: int, stride: int) -> nn.ModuleList:
    rest = [Bottleneck(EXPANSION * width, width, 1) for _ in range(blocks - 1)]
    return nn.ModuleList([Bottleneck(cin, width, stride), *rest])
