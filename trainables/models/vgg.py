"""Defines VGG with batch norm and one linear layer: five blocks of 3x3 convolutions, max pooling between.

Simonyan, Zisserman, "Very Deep Convolutional Networks for Large-Scale Image Recognition", ICLR 2015; ``vgg8``
and the keys are those of RepDistiller's and mdistiller's weight files.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from trainables.config.method import MapKind
from trainables.config.trial import LargeImages
from trainables.models.backbone import Backbone, StageMaps, he_init, small_classifier_init, stem_for

__all__ = ["VGG"]

CHANNELS = (64, 128, 256, 512, 512)
CONVOLUTIONS = {
    8: (1, 1, 1, 1, 1),
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""Convolutions in each of the five blocks, by depth."""


class VGG(Backbone):
    """Has `depth` layers; a 4x4 map of 512 channels for 32x32 images. Five maps in :class:`StageMaps`.

    Images of 64 pixels are pooled once more, before the last block. So are larger ones (14x14 for 224x224
    images) but in the released form, which pools at 64 pixels alone (28x28).

    >>> VGG(10, depth=8).classifier.weight.shape
    torch.Size([10, 512])
    """

    classifier_key = "classifier"

    def __init__(
        self, num_classes: int, image_size: int = 32, large_images: LargeImages = "pooled", *, depth: int
    ) -> None:
        super().__init__()
        self.pools_last = image_size == 64 or stem_for(image_size, large_images) == "pooled"
        counts = CONVOLUTIONS[depth]
        self.block0 = _block(3, CHANNELS[0], counts[0])
        self.block1 = _block(CHANNELS[0], CHANNELS[1], counts[1])
        self.block2 = _block(CHANNELS[1], CHANNELS[2], counts[2])
        self.block3 = _block(CHANNELS[2], CHANNELS[3], counts[3])
        self.block4 = _block(CHANNELS[3], CHANNELS[4], counts[4])
        linear = nn.Linear(CHANNELS[4], num_classes)
        self.classifier = linear  # type: ignore[misc]  # a submodule; read as a property
        self.feature_channels = CHANNELS[4]
        he_init(self)
        small_classifier_init(linear)

    def forward_stages(self, x: Tensor, kind: MapKind = "released") -> StageMaps:
        pre0 = self.block0(x)
        map0 = F.relu(pre0)
        pre1 = self.block1(F.max_pool2d(map0, 2))
        map1 = F.relu(pre1)
        pre2 = self.block2(F.max_pool2d(map1, 2))
        map2 = F.relu(pre2)
        pre3 = self.block3(F.max_pool2d(map2, 2))
        map3 = F.relu(pre3)
        pre4 = self.block4(F.max_pool2d(map3, 2) if self.pools_last else map3)
        return StageMaps((map0, map1, map2, map3, F.relu(pre4)), (pre0, pre1, pre2, pre3, pre4))


def _block(cin: int, cout: int, convolutions: int) -> nn.Sequential:
    """Make convolutions with norm, a ReLU between them; the one after the last is left to the caller."""
    layers: list[nn.Module] = []
    for index in range(convolutions):
        if index:
            layers.append(nn.ReLU(inplace=True))
        layers += [nn.Conv2d(cin if index == 0 else cout, cout, 3, padding=1), nn.BatchNorm2d(cout)]
    return nn.Sequential(*layers)
