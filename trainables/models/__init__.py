"""Networks by name, each written once; published teacher files load unchanged.

>>> model = build("resnet8x4", num_classes=100)
>>> model.feature_channels
256

Importing this package imports no torch; building a network does, and only an external name
(``torchvision:NAME``, ``timm:NAME``) imports its library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from trainables.models.names import ModelError, available, check_name, names, resolve

if TYPE_CHECKING:
    from trainables.models.backbone import Backbone

__all__ = ["ModelError", "available", "build", "check_name", "names"]


def build(name: str, num_classes: int, *, image_size: int = 32) -> Backbone:
    """The network `name` with fresh weights, as published, in training mode.

    Args:
        name: one of :func:`names`, ``wrn_D_K``, ``torchvision:NAME`` or ``timm:NAME``.
        num_classes: K, the number of classes.
        image_size: pixels a side of the images it will see. Up to 64 the networks for small images are the
            published ones; above, their stem becomes 7x7 with stride 2 and max pooling, under the same keys.

    Raises:
        ModelError: no such network, or it does not end in feature map, global average pooling, linear.
    """
    if num_classes < 1 or image_size < 8:
        raise ModelError(f"network {name!r}: num_classes {num_classes} < 1 or image_size {image_size} < 8")
    recipe = resolve(name)
    factory = getattr(import_module(f"trainables.models.{recipe.module}"), recipe.factory)
    network: Backbone = factory(num_classes=num_classes, image_size=image_size, **recipe.options)
    return network
