"""Builds networks by name, each written once; published teacher files load unchanged.

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
    from trainables.config.trial import LargeImages
    from trainables.models.backbone import Backbone

__all__ = ["ModelError", "available", "build", "check_name", "names"]


def build(
    name: str,
    num_classes: int,
    *,
    image_size: int = 32,
    large_images: LargeImages = "pooled",
    drop_path: float | None = None,
) -> Backbone:
    """Build the network `name` with fresh weights, as published, in training mode.

    Args:
        name: one of :func:`names`, ``wrn_D_K``, ``torchvision:NAME`` or ``timm:NAME``, these two also with
            options of their builders: ``timm:vit_tiny_patch16_224(patch_size=4)``.
        num_classes: K, the number of classes.
        image_size: pixels a side of the images it will see. Up to 64 the networks for small images are the
            published ones.
        large_images: what they become above, under the same keys: ``pooled`` gives them a stem of 7x7 with
            stride 2 and max pooling; ``released`` is what SDD's code makes of them for CUB-200, 7x7 with
            stride 2 alone (MobileNetV2: and 2x2 max pooling), VGG without its last pooling.
        drop_path: how often the last residual branch of an image is left out in training, those before it
            less often in proportion; None leaves what the network's library has.

    Raises:
        ModelError: no such network; or it does not end in a map or tokens, their average or a class token,
            and a linear layer; or it has no residual branches that can be dropped.
    """
    if num_classes < 1 or image_size < 8:
        raise ModelError(f"network {name!r}: num_classes {num_classes} < 1 or image_size {image_size} < 8")
    recipe = resolve(name)
    factory = getattr(import_module(f"trainables.models.{recipe.module}"), recipe.factory)
    form: dict[str, object] = {"large_images": large_images} if recipe.for_small_images else {}
    if recipe.module == "external":
        form["drop_path"] = drop_path
    elif drop_path:
        raise ModelError(f"network {name!r} has no drop path; networks of timm and torchvision have")
    network: Backbone = factory(num_classes=num_classes, image_size=image_size, **form, **recipe.options)
    return network
