"""Data sets of a few made images in the layouts the shipped spaces name."""

from __future__ import annotations

from tests.trainables.data.conftest import cifar100, cub200, imagenet, tiny_imagenet

__all__ = ["cifar100", "cub200", "imagenet", "tiny_imagenet"]
