"""A small pair of networks' features, for the tests of feature losses."""

from __future__ import annotations

import torch
from torch import Tensor

from trainables.losses import FeatureLoss, Features, FeatureShapes, feature_loss

# The student's third stage is half, its second as large as, its first twice the teacher's.
STUDENT = FeatureShapes(((3, 8, 8), (4, 8, 8), (5, 4, 4), (6, 2, 2)))
TEACHER = FeatureShapes(((4, 8, 8), (5, 4, 4), (6, 4, 4), (8, 4, 4)))
BATCH, NUM_SAMPLES = 6, 40
SMALL = {"crd": {"dim": 4, "negatives": 12}}  # options without which a loss does not fit so small a train set


def make_features(shapes: FeatureShapes, seed: int, dtype: torch.dtype = torch.float64) -> Features:
    draw = torch.Generator().manual_seed(seed)
    raw = tuple(
        torch.randn(BATCH, *shape, generator=draw, dtype=torch.float64).to(dtype) for shape in shapes.maps
    )
    maps = tuple(x.relu() for x in raw)
    return Features(maps, raw, maps[-1].mean(dim=(2, 3)))


def make_loss(name: str, **options: object) -> FeatureLoss:
    """The loss in float64, its layers and banks the same at every call."""
    torch.manual_seed(11)
    return feature_loss(name, STUDENT, TEACHER, NUM_SAMPLES, **{**SMALL.get(name, {}), **options}).double()


def batch(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[Features, Features, Tensor, Tensor]:
    """Features of student and teacher, labels and positions in the train set of six images."""
    index = torch.randperm(NUM_SAMPLES, generator=torch.Generator().manual_seed(seed))[:BATCH]
    student = make_features(STUDENT, 2 * seed + 1, dtype)
    return student, make_features(TEACHER, 2 * seed + 2, dtype), index % 4, index
