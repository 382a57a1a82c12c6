"""Defines wide ResNets ``wrn_D_K``: depth D = 6n + 4, 3 stages of n pre-activation blocks, K times wider.

Zagoruyko, Komodakis, "Wide Residual Networks", BMVC 2016; keys of RepDistiller's and mdistiller's files.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.config.method import MapKind
from trainables.config.trial import LargeImages
from trainables.models.backbone import Backbone, StageMaps, conv, he_init, stem_conv, stem_for, stem_pool

__all__ = ["WideResNet"]


class PreActivationBlock(nn.Module):
    """Puts norm and ReLU before each 3x3 convolution; the sum at the end stays as it is.

    Where the width changes, the skip takes the activated input through a 1x1 convolution.
    """

    def __init__(self, cin: int, cout: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(cin)
        self.conv1 = conv(cin, cout, 3, stride)
        self.bn2 = nn.BatchNorm2d(cout)
        self.conv2 = conv(cout, cout, 3)
        self.convShortcut = conv(cin, cout, 1, stride) if cin != cout else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the block's output, and its input after the norm, before and after the ReLU."""
        preactivation: Tensor = self.bn1(x)
        active = F.relu(preactivation)
        skip = x if self.convShortcut is None else self.convShortcut(active)
        hidden = F.relu(self.bn2(self.conv1(active)), inplace=True)
        return skip + self.conv2(hidden), preactivation, active


class WideStage(nn.Module):
    """Chains blocks of one width, under the key ``layer``."""

    def __init__(self, cin: int, cout: int, blocks: int, stride: int) -> None:
        super().__init__()
        rest = [PreActivationBlock(cout, cout, 1) for _ in range(blocks - 1)]
        self.layer = nn.ModuleList([PreActivationBlock(cin, cout, stride), *rest])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return the stage's output, and its input after the first norm, before and after the ReLU."""
        first, *rest = self.layer
        x, preactivation, active = first(x)
        for block in rest:
            x = block(x)[0]
        return x, preactivation, active


class WideResNet(Backbone):
    """Has `depth` = 6n + 4 layers, stages of 16, 32, 64 channels times `width`; an 8x8 map of 32x32 images.

    Four maps in :class:`StageMaps`: the first convolution's output, and the residual stream after each stage,
    which has no norm or ReLU of its own. Its preactivation is what the norm that the next stage (or the head)
    begins with makes of it; of kind ``activated``, maps are after the ReLU behind that norm.

    >>> network = WideResNet(10, depth=10, width=2)
    >>> network.feature_channels, network.classifier.weight.shape
    (128, torch.Size([10, 128]))
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
        if depth < 10 or (depth - 4) % 6:
            raise ValueError(f"depth {depth}: a wide ResNet has 6n + 4 layers (10, 16, 22, 28, 34, 40, ...)")
        blocks = (depth - 4) // 6
        channels = [16, 16 * width, 32 * width, 64 * width]
        self.stem = stem_for(image_size, large_images)
        self.conv1 = stem_conv(channels[0], self.stem)
        self.block1 = WideStage(channels[0], channels[1], blocks, stride=1)
        self.block2 = WideStage(channels[1], channels[2], blocks, stride=2)
        self.block3 = WideStage(channels[2], channels[3], blocks, stride=2)
        self.bn1 = nn.BatchNorm2d(channels[3])
        self.fc = nn.Linear(channels[3], num_classes)
        self.feature_channels = channels[3]
        he_init(self)
        nn.init.zeros_(self.fc.bias)

    def forward_stages(self, x: Tensor, kind: MapKind = "released") -> StageMaps:
        raw0 = stem_pool(self.conv1(x), self.stem)
        raw1, pre0, map0 = self.block1(raw0)
        raw2, pre1, map1 = self.block2(raw1)
        raw3, pre2, map2 = self.block3(raw2)
        pre3 = self.bn1(raw3)
        final = F.relu(pre3)
        preactivations = (pre0, pre1, pre2, pre3)
        if kind == "activated":
            return StageMaps((map0, map1, map2, final), preactivations)
        return StageMaps((raw0, raw1, raw2, raw3), preactivations, final)
