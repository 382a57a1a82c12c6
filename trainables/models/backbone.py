"""Defines what every network here offers, and the few pieces that several of them share.

Shape suffixes: B images, C channels, h and w a map's size, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import ClassVar, Literal, NamedTuple, Protocol, cast

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.config.method import MapKind
from trainables.config.trial import LargeImages
from trainables.models.multiscale import pooling_commutes

__all__ = [
    "LARGE_IMAGE",
    "Backbone",
    "Classifier",
    "StageMaps",
    "Stem",
    "conv",
    "he_init",
    "run_stage",
    "small_classifier_init",
    "stem_conv",
    "stem_for",
    "stem_pool",
]

LARGE_IMAGE = 65
"""Pixels a side from which a network for small images takes another stem."""

Stem = Literal["small", "pooled", "strided"]
"""Start of a network for small images: as published for 32x32 images; by a 7x7 convolution of stride 2 and
3x3 max pooling of stride 2; or by that convolution alone, as SDD's code has it for CUB-200."""


class StageMaps(NamedTuple):
    """Carries the maps that feature losses compare, and the one that is pooled and classified.

    >>> import torch
    >>> stem, stage = torch.zeros(2, 16, 8, 8), torch.ones(2, 32, 4, 4)
    >>> StageMaps((stem, stage), (stem, stage)).final is stage
    True

    Attributes:
        maps: after the stem (index 0) and after each stage: after the stage's last ReLU where it ends in one.
        preactivations: the same before that ReLU. A stage which ends without a ReLU (MobileNetV2's linear
            bottlenecks) has the same tensor in both.
        closing: the map after the layers that follow the last stage, where there are any: the norm and ReLU
            of a wide ResNet, the closing 1x1 convolution of MobileNetV2 and ShuffleV2.
        token: [B, C], the class token that a token model classifies in the place of the map's average.
    """

    maps: tuple[Tensor, ...]
    preactivations: tuple[Tensor, ...]
    closing: Tensor | None = None
    token: Tensor | None = None

    @property
    def final(self) -> Tensor:
        """Map that is pooled and classified, [B, C, h, w]."""
        return self.maps[-1] if self.closing is None else self.closing

    @property
    def pooled(self) -> Tensor:
        """What the classifier reads of the whole image, [B, C]: the map's average, or the class token."""
        return self.final.mean(dim=(2, 3)) if self.token is None else self.token

    def final_as(self, convert: Callable[[Tensor], Tensor]) -> StageMaps:
        """Return the final map and the class token alone, each as ``convert`` gives it: in float32, say."""
        final = convert(self.final)
        return StageMaps((final,), (final,), token=None if self.token is None else convert(self.token))


class Classifier(Protocol):
    """Maps pooled features to logits: a linear layer, or a wrapper that shows one's weight and bias."""

    @property
    def weight(self) -> Tensor:
        """Weights of the linear layer, [K, C]."""

    @property
    def bias(self) -> Tensor:
        """Biases of the linear layer, [K]."""

    def __call__(self, x: Tensor, /) -> Tensor:
        """Map pooled features [..., C] to logits [..., K]."""


class Backbone(nn.Module):
    """Classifies images by a network that ends in feature map -> global average pooling -> linear.

    Token models end in a map of patch tokens, and may classify a class token in the place of its average.
    A network gives :meth:`forward_stages`, `feature_channels` (C of the last map) and `classifier_key`, the
    name its last layer has in published weight files; the rest follows.

    >>> import torch
    >>> class OneConvolution(Backbone):
    ...     feature_channels = 4
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.stem, self.fc = conv(3, 4, 3), nn.Linear(4, 10)
    ...     def forward_stages(self, x, kind="released"):
    ...         before = self.stem(x)
    ...         return StageMaps((F.relu(before),), (before,))
    >>> OneConvolution()(torch.zeros(2, 3, 32, 32)).shape
    torch.Size([2, 10])
    """

    feature_channels: int
    classifier_key: ClassVar[str] = "fc"

    @property
    def classifier(self) -> Classifier:
        """Last layer, [..., C] -> [..., K]: an `nn.Linear`, or a thin wrapper around one."""
        return cast(Classifier, self._modules[self.classifier_key])

    @property
    def classifier_weights(self) -> tuple[str, str]:
        """Keys that the last layer's weight and bias have in the state dict."""
        return f"{self.classifier_key}.weight", f"{self.classifier_key}.bias"

    @property
    def commutes_with_pooling(self) -> bool:
        """True where the average of regions' logits is the logits of the regions' average, up to scale 1."""
        return pooling_commutes(self.classifier)

    def forward_stages(self, x: Tensor, kind: MapKind = "released") -> StageMaps:
        """Map images [B, 3, H, W] to the maps of the stem and of each stage.

        Args:
            kind: ``released`` for the maps that RepDistiller's and mdistiller's feature losses compare;
                ``activated`` for those after the norm and ReLU, or the closing convolution, that follow.
                The two differ for the networks that :class:`StageMaps` names under ``closing``.
        """
        raise NotImplementedError

    def forward_features(self, x: Tensor) -> Tensor:
        """Map images [B, 3, H, W] to the last map before pooling, [B, C, h, w], after its activation."""
        return self.forward_stages(x).final

    def forward(self, x: Tensor) -> Tensor:
        """Map images [B, 3, H, W] to logits [B, K]."""
        return self.classifier(self.forward_stages(x).pooled)


def conv(cin: int, cout: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    """Make a convolution without bias that keeps the map's size but for its stride."""
    return nn.Conv2d(cin, cout, kernel, stride, padding=kernel // 2, groups=groups, bias=False)


def stem_for(image_size: int, large_images: LargeImages) -> Stem:
    """Choose the stem for images of ``image_size`` pixels a side.

    >>> stem_for(32, "released"), stem_for(224, "released"), stem_for(224, "pooled")
    ('small', 'strided', 'pooled')
    """
    if image_size < LARGE_IMAGE:
        return "small"
    return "strided" if large_images == "released" else "pooled"


def stem_conv(channels: int, stem: Stem, small_kernel: int = 3) -> nn.Conv2d:
    """Make the first convolution: the published one for small images, 7x7 with stride 2 for large ones."""
    return conv(3, channels, small_kernel) if stem == "small" else conv(3, channels, 7, stride=2)


def stem_pool(x: Tensor, stem: Stem) -> Tensor:
    """Apply the second half of a ``pooled`` stem: 3x3 max pooling with stride 2; the others have none."""
    return F.max_pool2d(x, 3, stride=2, padding=1) if stem == "pooled" else x


def run_stage(blocks: Iterable[nn.Module], x: Tensor) -> tuple[Tensor, Tensor]:
    """Run blocks that return what comes before their last ReLU; return the last (map, preactivation)."""
    preactivation = x
    for block in blocks:
        preactivation = block(x)
        x = F.relu(preactivation)
    return x, preactivation


def he_init(model: nn.Module) -> None:
    """Initialise all convolutions as He does: normal, std sqrt(2 / (k*k*out channels)); their biases are 0.

    He et al., "Delving Deep into Rectifiers", ICCV 2015.
    """
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def small_classifier_init(linear: nn.Linear) -> None:
    """Make a classifier start near uniform: weights N(0, 0.01^2), bias 0 (VGG, MobileNetV2)."""
    nn.init.normal_(linear.weight, std=0.01)
    nn.init.zeros_(linear.bias)
