"""Defines ShuffleNets for small images: a 1x1 stem, three stages, a 4x4 map for 32x32 images.

Zhang et al., "ShuffleNet", CVPR 2018 (three groups). Ma et al., "ShuffleNet V2", ECCV 2018 (width 1). Shapes
and keys are those of RepDistiller's and mdistiller's weight files; convolutions start as torch starts them.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from trainables.config.method import MapKind
from trainables.config.trial import LargeImages
from trainables.models.backbone import Backbone, StageMaps, conv, run_stage, stem_conv, stem_for, stem_pool

__all__ = ["ShuffleNetV1", "ShuffleNetV2"]

STEM = 24
BLOCKS = (4, 8, 4)
V1_GROUPS = 3
V1_CHANNELS = (240, 480, 960)
V2_CHANNELS = (116, 232, 464)
V2_LAST = 1024


class GroupedBottleneck(nn.Module):
    """Applies V1's grouped 1x1, shuffle, depthwise 3x3, grouped 1x1; returns what precedes the last ReLU.

    With stride 2 the averaged input is concatenated, otherwise the input is added.
    """

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.groups = 1 if cin == STEM else V1_GROUPS
        branch = cout - cin if stride == 2 else cout
        middle = branch // 4
        self.conv1 = conv(cin, middle, 1, groups=self.groups)
        self.bn1 = nn.BatchNorm2d(middle)
        self.conv2 = conv(middle, middle, 3, stride, groups=middle)
        self.bn2 = nn.BatchNorm2d(middle)
        self.conv3 = conv(middle, branch, 1, groups=V1_GROUPS)
        self.bn3 = nn.BatchNorm2d(branch)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = F.relu(self.bn1(self.conv1(x)), inplace=True)
        if self.groups > 1:
            out = F.channel_shuffle(out, self.groups)
        out = F.relu(self.bn2(self.conv2(out)), inplace=True)
        out = self.bn3(self.conv3(out))
        return torch.cat([out, F.avg_pool2d(x, 3, 2, padding=1)], 1) if self.stride == 2 else x + out


class SplitBlock(nn.Module):
    """Passes half of the channels on, the others through 1x1, depthwise 3x3, 1x1; then shuffles them (V2).

    Returns what comes before the last ReLU. The passing half is never negative, so that ReLU leaves it alone.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.conv1 = conv(half, half, 1)
        self.bn1 = nn.BatchNorm2d(half)
        self.conv2 = conv(half, half, 3, groups=half)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = conv(half, half, 1)
        self.bn3 = nn.BatchNorm2d(half)

    def forward(self, x: Tensor) -> Tensor:
        passing, half = x.chunk(2, dim=1)
        out = F.relu(self.bn1(self.conv1(half)), inplace=True)
        out = self.bn3(self.conv3(self.bn2(self.conv2(out))))
        return F.channel_shuffle(torch.cat([passing, out], 1), 2)


class DownBlock(nn.Module):
    """Concatenates and shuffles two branches of stride 2 (V2); returns what comes before the last ReLU."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        half = cout // 2
        self.conv1 = conv(cin, cin, 3, stride=2, groups=cin)
        self.bn1 = nn.BatchNorm2d(cin)
        self.conv2 = conv(cin, half, 1)
        self.bn2 = nn.BatchNorm2d(half)
        self.conv3 = conv(cin, half, 1)
        self.bn3 = nn.BatchNorm2d(half)
        self.conv4 = conv(half, half, 3, stride=2, groups=half)
        self.bn4 = nn.BatchNorm2d(half)
        self.conv5 = conv(half, half, 1)
        self.bn5 = nn.BatchNorm2d(half)

    def forward(self, x: Tensor) -> Tensor:
        left = self.bn2(self.conv2(self.bn1(self.conv1(x))))
        right = F.relu(self.bn3(self.conv3(x)), inplace=True)
        right = self.bn5(self.conv5(self.bn4(self.conv4(right))))
        return F.channel_shuffle(torch.cat([left, right], 1), 2)


class _ShuffleNet(Backbone):
    """Shares what both versions have: stem, stages (`layer1` to `layer3`) and the linear layer's key."""

    classifier_key = "linear"
    layer1: nn.ModuleList
    layer2: nn.ModuleList
    layer3: nn.ModuleList

    def __init__(self, image_size: int, large_images: LargeImages) -> None:
        super().__init__()
        self.stem = stem_for(image_size, large_images)
        self.conv1 = stem_conv(STEM, self.stem, small_kernel=1)
        self.bn1 = nn.BatchNorm2d(STEM)

    def forward_stages(self, x: Tensor, kind: MapKind = "released") -> StageMaps:
        pre0 = self.bn1(self.conv1(x))
        map0 = F.relu(pre0)
        map1, pre1 = run_stage(self.layer1, stem_pool(map0, self.stem))
        map2, pre2 = run_stage(self.layer2, map1)
        map3, pre3 = run_stage(self.layer3, map2)
        return StageMaps((map0, map1, map2, map3), (pre0, pre1, pre2, pre3))


class ShuffleNetV1(_ShuffleNet):
    """Has stages of 240, 480 and 960 channels. Four maps in :class:`StageMaps`.

    >>> ShuffleNetV1(10).classifier.weight.shape
    torch.Size([10, 960])
    """

    def __init__(self, num_classes: int, image_size: int = 32, large_images: LargeImages = "pooled") -> None:
        super().__init__(image_size, large_images)
        cin = STEM
        for name, cout, blocks in zip(("layer1", "layer2", "layer3"), V1_CHANNELS, BLOCKS, strict=True):
            rest = [GroupedBottleneck(cout, cout, 1) for _ in range(blocks - 1)]
            self.add_module(name, nn.ModuleList([GroupedBottleneck(cin, cout, 2), *rest]))
            cin = cout
        self.linear = nn.Linear(cin, num_classes)
        self.feature_channels = cin


class ShuffleNetV2(_ShuffleNet):
    """Has stages of 116, 232, 464 channels, then a 1x1 convolution to 1024. Four maps in :class:`StageMaps`.

    The last map is the input of that convolution; of kind ``activated``, its output.

    >>> ShuffleNetV2(10).classifier.weight.shape
    torch.Size([10, 1024])
    """

    def __init__(self, num_classes: int, image_size: int = 32, large_images: LargeImages = "pooled") -> None:
        super().__init__(image_size, large_images)
        cin = STEM
        for name, cout, blocks in zip(("layer1", "layer2", "layer3"), V2_CHANNELS, BLOCKS, strict=True):
            rest = [SplitBlock(cout) for _ in range(blocks - 1)]
            self.add_module(name, nn.ModuleList([DownBlock(cin, cout), *rest]))
            cin = cout
        self.conv2 = conv(cin, V2_LAST, 1)
        self.bn2 = nn.BatchNorm2d(V2_LAST)
        self.linear = nn.Linear(V2_LAST, num_classes)
        self.feature_channels = V2_LAST

    def forward_stages(self, x: Tensor, kind: MapKind = "released") -> StageMaps:
        stages = super().forward_stages(x)
        maps, preactivations = stages.maps, stages.preactivations
        before = self.bn2(self.conv2(maps[-1]))
        final = F.relu(before)
        if kind == "activated":
            return StageMaps((*maps[:-1], final), (*preactivations[:-1], before))
        return StageMaps(maps, preactivations, final)
