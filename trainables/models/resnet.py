"""Defines ResNets for small images: depth 6n + 2, three stages of n basic blocks.

He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, section 4.2; the widths and the keys
of RepDistiller's and mdistiller's weight files. ``resnetDx4`` has 32 channels in its stem, then 4 times more.
"""

from __future__ import annotations

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

__all__ = ["ResNet"]


class BasicBlock(nn.Module):
    """Adds two 3x3 convolutions to a skip; returns the sum before its ReLU."""

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.conv1 = conv(cin, cout, 3, stride)
        self.bn1 = nn.BatchNorm2d(cout)
        self.conv2 = conv(cout, cout, 3)
        self.bn2 = nn.BatchNorm2d(cout)
        self.downsample: nn.Module | None = None
        if stride != 1 or cin != cout:
            self.downsample = nn.Sequential(conv(cin, cout, 1, stride), nn.BatchNorm2d(cout))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        return out + (x if self.downsample is None else self.downsample(x))


class ResNet(Backbone):
    """Has `depth` = 6n + 2 layers, stages of 16, 32, 64 channels times `width`; an 8x8 map of 32x32 images.

    Four maps in :class:`StageMaps`: the stem and the three stages.

    >>> network = ResNet(10, depth=8)
    >>> network.feature_channels, network.classifier.weight.shape
    (64, torch.Size([10, 64]))
    """

    def __init__(
        self,
        num_classes: int,
        image_size: int = 32,
        large_images: LargeImages = "pooled",
        *,
        depth: int,
        width: int = 1,
    ) -> None:
        super().__init__()
        if depth < 8 or (depth - 2) % 6:
            raise ValueError(f"depth {depth}: a ResNet for small images has 6n + 2 layers (8, 14, 20, ...)")
        blocks = (depth - 2) // 6
        first = 16 if width == 1 else 32
        channels = [16 * width, 32 * width, 64 * width]
        self.stem = stem_for(image_size, large_images)
        self.conv1 = stem_conv(first, self.stem)
        self.bn1 = nn.BatchNorm2d(first)
        self.layer1 = _stage(first, channels[0], blocks, stride=1)
        self.layer2 = _stage(channels[0], channels[1], blocks, stride=2)
        self.layer3 = _stage(channels[1], channels[2], blocks, stride=2)
        self.fc = nn.Linear(channels[2], num_classes)
        self.feature_channels = channels[2]
        he_init(self)

    def forward_stages(self, x: Tensor, kind: MapKind = "released") -> StageMaps:
        pre0 = self.bn1(self.conv1(x))
        map0 = F.relu(pre0)
        map1, pre1 = run_stage(self.layer1, stem_pool(map0, self.stem))
        map2, pre2 = run_stage(self.layer2, map1)
        map3, pre3 = run_stage(self.layer3, map2)
        return StageMaps((map0, map1, map2, map3), (pre0, pre1, pre2, pre3))


def _stage(cin: int, cout: int, blocks: int, stride: int) -> nn.ModuleList:
    rest = [BasicBlock(cout, cout, 1) for _ in range(blocks - 1)]
    return nn.ModuleList([BasicBlock(cin, cout, stride), *rest])
