"""Defines what feature losses compare, and finds feature losses by name.

Shape legend: B images, C channels, h and w the size of a map.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol, cast

from torch import Tensor, nn

from trainables.losses.options import LossError
from trainables.losses.registry import check_feature_loss, feature_loss_spec


class StageOutputs(Protocol):
    """Carries what a network's ``forward_stages`` returns (``trainables.models.backbone.StageMaps``)."""

    @property
    def maps(self) -> Sequence[Tensor]: ...

    @property
    def preactivations(self) -> Sequence[Tensor]: ...

    @property
    def closing(self) -> Tensor | None: ...


class Features(NamedTuple):
    """Carries a network's maps for one batch.

    maps: [B,C,h,w] each, after the stem (index 0) and the stages, as ``trainables.models`` gives them.
    preactivations: the same before a stage's last ReLU.
    pooled: [B,C], what is classified: the average of the final map, or a token model's class token.
    closing: [B,C,h,w], the final map where layers lie between it and the last stage; else None.

    >>> import torch
    >>> stem, stage = torch.zeros(2, 16, 8, 8), torch.ones(2, 32, 4, 4)
    >>> features = Features((stem, stage), (stem, stage), stage.mean(dim=(2, 3)))
    >>> features.pooled.shape, features.final is stage
    (torch.Size([2, 32]), True)
    """

    maps: tuple[Tensor, ...]
    preactivations: tuple[Tensor, ...]
    pooled: Tensor
    closing: Tensor | None = None

    @property
    def final(self) -> Tensor:
        """Map that is pooled and classified, [B,C,h,w]."""
        return self.maps[-1] if self.closing is None else self.closing

    @classmethod
    def from_stages(cls, stages: StageOutputs) -> Features:
        """Collect the features of one forward pass, with the final map pooled."""
        maps, closing = tuple(stages.maps), stages.closing
        token: Tensor | None = getattr(stages, "token", None)
        pooled = (maps[-1] if closing is None else closing).mean(dim=(2, 3)) if token is None else token
        return cls(maps, tuple(stages.preactivations), pooled, closing)

    def detached(self) -> Features:
        """Return the same features without gradients."""
        return Features(
            tuple(x.detach() for x in self.maps),
            tuple(x.detach() for x in self.preactivations),
            self.pooled.detach(),
            None if self.closing is None else self.closing.detach(),
        )


class FeatureShapes(NamedTuple):
    """Carries (C, h, w) of each map of :class:`Features`, known before the first batch.

    >>> shapes = FeatureShapes(((16, 8, 8), (32, 4, 4)))
    >>> shapes.final, shapes.pooled
    ((32, 4, 4), 32)
    """

    maps: tuple[tuple[int, int, int], ...]
    closing: tuple[int, int, int] | None = None

    @classmethod
    def of(cls, features: Features) -> FeatureShapes:
        """Return the shapes of ``features``."""
        maps = tuple((x.shape[1], x.shape[2], x.shape[3]) for x in features.maps)
        closing = features.closing
        return cls(maps, None if closing is None else (closing.shape[1], closing.shape[2], closing.shape[3]))

    @property
    def final(self) -> tuple[int, int, int]:
        """Shape (C, h, w) of the map that is pooled and classified."""
        return self.maps[-1] if self.closing is None else self.closing

    @property
    def pooled(self) -> int:
        """Channels of the pooled final map."""
        return self.final[0]


class FeatureLoss(nn.Module):
    """Compares a student's features with a teacher's, by layers that it may train for that.

    Its parameters are trained with the student and kept apart from it; its buffers belong to the trial's
    checkpoint. In eval mode a call changes no state.

    >>> import torch
    >>> class PooledDistance(FeatureLoss):
    ...     def compare(self, student, teacher, target, index):
    ...         return (student.pooled - teacher.pooled).square().mean()
    >>> maps = torch.ones(2, 32, 4, 4), torch.zeros(2, 32, 4, 4)
    >>> student, teacher = (Features((x,), (x,), x.mean(dim=(2, 3))) for x in maps)
    >>> PooledDistance()(student, teacher, torch.tensor([0, 1]), torch.arange(2)).item()
    1.0
    """

    capturable = True
    """True where a step may be recorded as a CUDA graph: nothing is done in Python between kernels."""

    def forward(self, student: Features, teacher: Features, target: Tensor, index: Tensor) -> Tensor:
        """Return the loss, a scalar in float32 (or float64), without its weight.

        Args:
            student, teacher: features of the same views; no gradient reaches the teacher's.
            target: labels [B].
            index: places of the images in the split that is trained on [B].
        """
        return self.compare(student, teacher.detached(), target, index)

    def compare(self, student: Features, teacher: Features, target: Tensor, index: Tensor) -> Tensor:
        """Compute the loss; for subclasses to fill in."""
        raise NotImplementedError


def feature_loss(
    name: str, student: FeatureShapes, teacher: FeatureShapes, num_samples: int, **options: Any
) -> FeatureLoss:
    """Make the feature loss ``name`` for a pair of networks and a split of ``num_samples`` images.

    Names, options and published weights: :mod:`trainables.losses.registry`. The weight is left to the caller.
    Layers are initialised from torch's global generator.
    """
    values = check_feature_loss(name, options, num_samples)
    factory: Any = feature_loss_class(name)
    return cast(FeatureLoss, factory(student, teacher, num_samples, **values))


def feature_loss_class(name: str) -> type[FeatureLoss]:
    """Return the class of the feature loss ``name``."""
    source = cast(str, feature_loss_spec(name).source)
    module, attribute = source.split(":")
    return cast(type[FeatureLoss], getattr(importlib.import_module(module), attribute))


def need_stages(name: str, needed: int, student: FeatureShapes, teacher: FeatureShapes) -> None:
    """Raise :class:`LossError` unless both networks give at least ``needed`` maps."""
    have = min(len(student.maps), len(teacher.maps))
    if have < needed:
        raise LossError(
            f"{name}: needs {needed} maps of both networks (stem included); the student gives "
            f"{len(student.maps)}, the teacher {len(teacher.maps)}"
        )
