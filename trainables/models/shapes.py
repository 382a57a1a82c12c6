"""Sizes of a network's maps, by running it once on an empty image."""

from __future__ import annotations

import functools

import torch

from trainables.models import build


@functools.cache
def final_map(name: str, num_classes: int, image_size: int) -> tuple[int, int]:
    """Height and width of the last map of network ``name`` for images of ``image_size`` pixels a side.

    Raises:
        ModelError: there is no such network, or it does not fit.
    """
    network = build(name, num_classes, image_size=image_size).eval()
    with torch.no_grad():
        final = network.forward_features(torch.zeros(1, 3, image_size, image_size))
    return int(final.shape[2]), int(final.shape[3])
