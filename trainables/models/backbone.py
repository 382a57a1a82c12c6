"""What every network here offers, and the few pieces that several of them share.

Shape suffixes: B images, C channels, h and w a map's size, K classes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple, Protocol, cast

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = [
    "LARGE_IMAGE",
    "Backbone",
    "Classifier",
    "StageMaps",
    "conv",
    "he_init",
    "run_stage",
    "small_classifier_init",
    "stem_conv",
    "stem_pool",
]

LARGE_IMAGE = 65
"""Pixels a side from which a network for small images takes a stem that shrinks the image four times."""


class StageMaps(NamedTuple):
    """Maps after the stem (index 0) and after each stage; the last one is ``forward_features``'s.

    `maps` are after the stage's last ReLU, `preactivations` before it. A stage which ends without a ReLU
    (MobileNetV2's linear bottlenecks) has the same tensor in both.
    """

    maps: tuple[Tensor, ...]
    preactivations: tuple[Tensor, ...]


class Classifier(Protocol):
    """A linear layer with K rows, or a wrapper that shows its `weight` [K, C] and `bias` [K]."""

    @property
    def weight(self) -> Tensor:
        """[K, C]."""

    @property
    def bias(self) -> Tensor:
        """[K]."""

    def __call__(self, x: Tensor, /) -> Tensor:
        """[..., C] -> [..., K]."""


class Backbone(nn.Module):
    """A classifier that ends in feature map -> global average pooling -> linear.

    A network gives :meth:`forward_stages`, `feature_channels` (C of the last map) and `classifier_key`, the
    name its last layer has in published weight files; the rest follows.
    """

    feature_channels: int
    classifier_key: ClassVar[str] = "fc"

    @property
    def classifier(self) -> Classifier:
        """The last layer, [..., C] -> [..., K]: an `nn.Linear`, or a thin wrapper around one."""
        return cast(Classifier, self._modules[self.classifier_key])

    def forward_stages(self, x: Tensor) -> StageMaps:
        """Images [B, 3, H, W] -> the maps of the stem and of each stage."""
        raise NotImplementedError

    def forward_features(self, x: Tensor) -> Tensor:
        """Images [B, 3, H, W] -> the last map before global pooling, [B, C, h, w], after its activation."""
        return self.forward_stages(x).maps[-1]

    def forward(self, x: Tensor) -> Tensor:
        """Images [B, 3, H, W] -> logits [B, K]."""
        return self.classifier(self.forward_features(x).mean(dim=(2, 3)))


def conv(cin: int, cout: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """A convolution without bias that keeps the map's size but for its stride."""
    return nn.Conv2d(cin, cout, kernel, stride, padding=kernel // 2, groups=groups, bias=False)


def stem_conv(channels: int, image_size: int, small_kernel: int = 3) -> nn.Conv2d:
    """The first convolution: the published one for small images, 7x7 with stride 2 for large ones."""
    return conv(3, channels, small_kernel) if image_size < LARGE_IMAGE else conv(3, channels, 7, stride=2)


def stem_pool(x: Tensor, image_size: int) -> Tensor:
    """The second half of a large image's stem: 3x3 max pooling with stride 2; nothing for small images."""
    return x if image_size < LARGE_IMAGE else F.max_pool2d(x, 3, stride=2, padding=1)


def run_stage(blocks: Iterable[nn.Module], x: Tensor) -> tuple[Tensor, Tensor]:
    """Blocks that return what comes before their last ReLU, one after the other: (map, preactivation)."""
    preactivation = x
    for block in blocks:
        preactivation = block(x)
        x = F.relu(preactivation)
    return x, preactivation


def he_init(model: nn.Module) -> None:
    """He's normal initialisation, std sqrt(2 / (k*k*out channels)), of all convolutions; their biases are 0.

    He et al., "Delving Deep into Rectifiers", ICCV 2015.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def small_classifier_init(linear: nn.Linear) -> None:
    """A classifier that starts near uniform: weights N(0, 0.01^2), bias 0 (VGG, MobileNetV2)."""
    nn.init.normal_(linear.weight, std=0.01)
    nn.init.zeros_(linear.bias)
