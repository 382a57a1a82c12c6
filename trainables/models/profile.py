"""Measures what a network costs and gives: multiply-adds for one image, parameters, the size of its map.

Nothing is computed for it: networks are built and run on torch's meta device, without memory for weights.
"""

from __future__ import annotations

import copy
import functools
from dataclasses import dataclass

import torch
from torch import nn

from trainables.config.trial import LargeImages
from trainables.models import build
from trainables.models.backbone import Backbone
from trainables.models.names import ModelError

__all__ = ["NetworkProfile", "final_map", "multiply_adds", "parameter_count", "profile", "weightless"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkProfile:
    """Says of a network what it costs at an image size, or why it does not fit.

    >>> profile("resnet8x4", num_classes=100).map
    (8, 8)

    Attributes:
        parameters: numbers that are trained.
        multiply_adds: for one image, see :func:`multiply_adds`.
        map: height and width of the map that regions are cut from.
        whole: what stands for the whole image, the map's ``average`` or a ``class token``.
        reason: why the network does not fit; the others are None then.
    """

    name: str
    parameters: int | None = None
    multiply_adds: int | None = None
    map: tuple[int, int] | None = None
    whole: str | None = None
    reason: str | None = None

    @property
    def fits(self) -> bool:
        """True where the network can be a teacher or a student."""
        return self.reason is None


def profile(name: str, num_classes: int = 100, image_size: int = 32) -> NetworkProfile:
    """Return what network ``name`` costs and gives for images of ``image_size`` pixels a side."""
    try:
        network = weightless(name, num_classes, image_size)
        with torch.no_grad():
            stages = network.forward_stages(torch.empty(1, 3, image_size, image_size, device="meta"))
    except ModelError as error:
        return NetworkProfile(name=name, reason=str(error))
    return NetworkProfile(
        name=name,
        parameters=parameter_count(network),
        multiply_adds=multiply_adds(network, image_size),
        map=(stages.final.shape[2], stages.final.shape[3]),
        whole="average" if stages.token is None else "class token",
    )


def multiply_adds(model: nn.Module, image_size: int) -> int:
    """Count multiply-adds in convolutions and matrix products, for one image in evaluation.

    A convolution costs (output numbers) * (input channels / groups) * (kernel area), a linear layer
    (output numbers) * (input features), attention its two products as well. Norms, activations and pooling
    are not counted, as is usual. A copy of `model` runs on torch's meta device; `model` stays as it was.

    Args:
        model: takes images [B, 3, image_size, image_size].
        image_size: pixels a side.

    >>> multiply_adds(nn.Conv2d(3, 8, 3, padding=1), 32)
    221184
    """
    from torch.utils.flop_counter import FlopCounterMode

    probe = copy.deepcopy(model).to("meta").eval().requires_grad_(True)  # fused attention is not counted
    with FlopCounterMode(display=False) as counter:
        probe(torch.empty(1, 3, image_size, image_size, device="meta"))
    return int(counter.get_total_flops()) // 2


def parameter_count(model: nn.Module) -> int:
    """Count the numbers in the trained parameters; buffers such as running means are not counted.

    >>> parameter_count(nn.Linear(8, 10))
    90
    """
    return sum(parameter.numel() for parameter in model.parameters())


@functools.lru_cache(maxsize=64)
def weightless(
    name: str, num_classes: int, image_size: int, large_images: LargeImages = "pooled"
) -> Backbone:
    """Return network ``name`` in evaluation on the meta device: shapes without numbers, made in no time.

    Raises:
        ModelError: there is no such network, or it does not fit.
    """
    with torch.device("meta"):
        return build(name, num_classes, image_size=image_size, large_images=large_images).eval()


def final_map(
    name: str, num_classes: int, image_size: int, large_images: LargeImages = "pooled"
) -> tuple[int, int]:
    """Return height and width of the last map of network ``name`` for images of ``image_size`` pixels a side.

    Raises:
        ModelError: there is no such network, or it does not fit.
    """
    network = weightless(name, num_classes, image_size, large_images)
    with torch.no_grad():
        final = network.forward_features(torch.empty(1, 3, image_size, image_size, device="meta"))
    return int(final.shape[2]), int(final.shape[3])
