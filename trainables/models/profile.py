"""Measures what a network costs: multiply-adds for one image, and parameters (for a second objective)."""

from __future__ import annotations

import copy
import functools
import math
from typing import Any

import torch
from torch import Tensor, nn

from trainables.config.trial import LargeImages
from trainables.models import build

__all__ = ["multiply_adds", "parameter_count"]


def multiply_adds(model: nn.Module, image_size: int) -> int:
    """Count multiply-adds in the convolutions and linear layers, for one image in evaluation.

    A convolution costs (output numbers) * (input channels / groups) * (kernel area), a linear layer
    (output numbers) * (input features). Norms, activations and pooling are not counted, as is usual.
    Nothing is computed: a copy of `model` runs on torch's meta device, and `model` stays as it was.

    Args:
        model: takes images [B, 3, image_size, image_size].
        image_size: pixels a side.

    >>> multiply_adds(nn.Conv2d(3, 8, 3, padding=1), 32)
    221184
    """
    total = 0

    def count(module: nn.Module, _inputs: tuple[Any, ...], output: Tensor) -> None:
        nonlocal total
        total += output.numel() * _cost_of_one(module)

    probe = copy.deepcopy(model).to("meta").eval()
    for module in probe.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            module.register_forward_hook(count)
    with torch.no_grad():
        probe(torch.empty(1, 3, image_size, image_size, device="meta"))
    return total


def parameter_count(model: nn.Module) -> int:
    """Count the numbers in the trained parameters; buffers such as running means are not counted.

    >>> parameter_count(nn.Linear(8, 10))
    90
    """
    return sum(parameter.numel() for parameter in model.parameters())


def _cost_of_one(module: nn.Module) -> int:
    """Return the multiply-adds behind one number of the module's output."""
    if isinstance(module, nn.Conv2d):
        return module.in_channels // module.groups * math.prod(module.kernel_size)
    assert isinstance(module, nn.Linear)
    return module.in_features


@functools.cache
def final_map(
    name: str, num_classes: int, image_size: int, large_images: LargeImages = "pooled"
) -> tuple[int, int]:
    """Return height and width of the last map of network ``name`` for images of ``image_size`` pixels a side.

    Raises:
        ModelError: there is no such network, or it does not fit.
    """
    network = build(name, num_classes, image_size=image_size, large_images=large_images).eval()
    with torch.no_grad():
        final = network.forward_features(torch.zeros(1, 3, image_size, image_size))
    return int(final.shape[2]), int(final.shape[3])
