"""Defines MobileNetV2 for small images and MobileNetV1 for ImageNet, by published weight files' keys.

Howard et al., "MobileNets", arXiv 1704.04861. Sandler et al., "MobileNetV2", CVPR 2018. The student which the
ImageNet tables call "MV2" is MobileNetV1.
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
    small_classifier_init,
    stem_for,
)

__all__ = ["MobileNetV1", "MobileNetV2"]

V2_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 1),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""MobileNetV2's groups of blocks: expansion, channels before the width factor, blocks, first stride."""

V1_BLOCKS = ((64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), *[(512, 1)] * 5, (1024, 2), (1024, 1))
"""MobileNetV1's separable convolutions: channels, stride."""


class InvertedResidual(nn.Module):
    """Widens by a 1x1 convolution, then depthwise 3x3, then a 1x1 that narrows and has no ReLU after it."""

    def __init__(self, cin: int, cout: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = cin * expansion
        self.skip = stride == 1 and cin == cout
        self.conv = nn.Sequential(
            *(conv(cin, wide, 1), nn.BatchNorm2d(wide), nn.ReLU(inplace=True)),
            *(conv(wide, wide, 3, stride, groups=wide), nn.BatchNorm2d(wide), nn.ReLU(inplace=True)),
            *(conv(wide, cout, 1), nn.BatchNorm2d(cout)),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return x + out if self.skip else out


class LinearInSequence(nn.Sequential):
    """Keeps a linear layer under the key ``0``, as published files do; shows its `weight` and `bias`."""

    commutes_with_pooling = True

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__(linear)

    @property
    def weight(self) -> Tensor:
        """Weights of the linear layer, [K, C]."""
        return self.get_parameter("0.weight")

    @property
    def bias(self) -> Tensor:
        """Biases of the linear layer, [K]."""
        return self.get_parameter("0.bias")


class MobileNetV2(Backbone):
    """Has `width` times the channels, 1280 at the end; a 2x2 map of 32x32 images, 14x14 of 224x224.

    In the released form large images meet a 7x7 convolution of stride 2 and 2x2 max pooling first, which
    leaves a 7x7 map. Five maps in :class:`StageMaps`: the stem, then the groups that end at 1/2, 1/4, 1/8 and
    1/16 of the image's side (released, of large images: half of that). All but the first are linear
    bottlenecks; of kind ``activated``, the last is after the closing 1x1 convolution, and else its input.

    >>> MobileNetV2(10).classifier.weight.shape
    torch.Size([10, 1280])
    """

    classifier_key = "classifier"

    def __init__(
        self,
        num_classes: int,
        image_size: int = 32,
        large_images: LargeImages = "pooled",
        *,
        width: float = 0.5,
    ) -> None:
        super().__init__()
        channels = int(32 * width)
        self.stem = stem_for(image_size, large_images)
        kernel = 7 if self.stem == "strided" else 3
        self.conv1 = nn.Sequential(conv(3, channels, kernel, stride=2), nn.BatchNorm2d(channels))
        self.blocks = nn.ModuleList()
        for expansion, base, count, stride in V2_STAGES:
            cout = int(base * width)
            first = InvertedResidual(channels, cout, stride, expansion)
            rest = [InvertedResidual(cout, cout, 1, expansion) for _ in range(count - 1)]
            self.blocks.append(nn.Sequential(first, *rest))
            channels = cout
        self.feature_channels = 1280 if width <= 1 else int(1280 * width)
        self.conv2 = nn.Sequential(
            conv(channels, self.feature_channels, 1), nn.BatchNorm2d(self.feature_channels)
        )
        linear = nn.Linear(self.feature_channels, num_classes)
        self.classifier = LinearInSequence(linear)  # type: ignore[misc]  # a submodule; read as a property
        he_init(self)
        small_classifier_init(linear)

    def forward_stages(self, x: Tensor, kind: MapKind = "released") -> StageMaps:
        pre0 = self.conv1(x)
        map0 = F.relu(pre0)
        if self.stem == "strided":
            map0 = F.max_pool2d(map0, 2)
        map1 = self.blocks[1](self.blocks[0](map0))
        map2 = self.blocks[2](map1)
        map3 = self.blocks[4](self.blocks[3](map2))
        map4 = self.blocks[6](self.blocks[5](map3))
        before = self.conv2(map4)
        final = F.relu(before)
        maps = (map0, map1, map2, map3)
        if kind == "activated":
            return StageMaps((*maps, final), (pre0, map1, map2, map3, before))
        return StageMaps((*maps, map4), (pre0, map1, map2, map3, map4), final)


class MobileNetV1(Backbone):
    """Stacks thirteen separable convolutions; for 224x224 images a 7x7 map of 1024 channels.

    Five maps in :class:`StageMaps`: the stem (1/2 of the image's side), then 1/4, 1/8, 1/16 and 1/32.

    >>> MobileNetV1(10).feature_channels
    1024
    """

    def __init__(self, num_classes: int, image_size: int = 224) -> None:
        super().__init__()
        blocks = [nn.Sequential(conv(3, 32, 3, stride=2), nn.BatchNorm2d(32))]
        channels = 32
        for cout, stride in V1_BLOCKS:
            depthwise = conv(channels, channels, 3, stride, groups=channels)
            pointwise = conv(channels, cout, 1)
            norms = nn.BatchNorm2d(channels), nn.BatchNorm2d(cout)
            blocks.append(nn.Sequential(depthwise, norms[0], nn.ReLU(inplace=True), pointwise, norms[1]))
            channels = cout
        self.model = nn.ModuleList(blocks)
        self.fc = nn.Linear(channels, num_classes)
        self.feature_channels = channels

    def forward_stages(self, x: Tensor, kind: MapKind = "released") -> StageMaps:
        maps, preactivations = [], []
        for first, last in ((0, 1), (1, 4), (4, 6), (6, 12), (12, 14)):
            x, preactivation = run_stage([*self.model][first:last], x)
            maps.append(x)
            preactivations.append(preactivation)
        return StageMaps(tuple(maps), tuple(preactivations))
