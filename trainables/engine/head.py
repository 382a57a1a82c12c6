"""Gives region logits of any network, under a multi-scale head."""

from __future__ import annotations

import copy
from typing import NamedTuple

import torch
from torch import Tensor, nn

from trainables.config.method import RELEASED_GRID, MapKind, Pooling
from trainables.config.scales import region_count
from trainables.losses.features import Features, FeatureShapes
from trainables.losses.precision import full_precision, without_autocast
from trainables.models.backbone import Classifier, StageMaps
from trainables.models.multiscale import region_logits, released_regions


class HeadOutputs(NamedTuple):
    """Holds what a network says of a batch, so far as the method asks.

    Attributes:
        regions: logits [B, R, K] of the global view, then of the regions of each further scale; with
            released pooling, of the regions of all scales.
        features: its maps, or None where no feature loss wants them.
        strong: the regions of the strong views, where the loss is of two views, else None.

    Example:
        >>> HeadOutputs(torch.zeros(2, 5, 10), features=None).logits.shape
        torch.Size([2, 10])
    """

    regions: Tensor
    features: Features | None
    strong: Tensor | None = None

    @property
    def logits(self) -> Tensor:
        """Logits of the whole image, [B, K]."""
        return self.regions[:, 0]


class MultiScaleHead(nn.Module):
    """Asks any network of ``trainables.models`` for what a method needs: images -> :class:`HeadOutputs`.

    Args:
        scales: of the regions; the global view comes first, whether or not 1 is among them.
        features: the kind of maps that are wanted as well; None for none.
        full_precision: pool and classify in float32, whatever the network computes in.
        pooling: what regions are pooled from, see ``LogitTerm``.

    Example:
        >>> from trainables.models import build
        >>> head = MultiScaleHead(build("resnet8", 10), scales=(1, 2))
        >>> head(torch.zeros(3, 3, 32, 32)).regions.shape  # the global view and four quarters
        torch.Size([3, 5, 10])
    """

    def __init__(
        self,
        network: nn.Module,
        scales: tuple[int, ...] = (1,),
        *,
        features: MapKind | None = None,
        full_precision: bool = False,
        pooling: Pooling = "map",
    ) -> None:
        super().__init__()
        self.network = network
        self.scales = with_whole(scales) if pooling == "map" else scales
        self.pooling: Pooling = pooling
        self.features = features
        self.full_precision = full_precision

    def forward(self, images: Tensor, strong: Tensor | None = None) -> HeadOutputs:
        """Return the outputs for normalised images [B, 3, H, W], and for their strong views in a second pass.

        In a pass of its own each view is normalised by statistics of its own.
        """
        return self.outputs(self.maps(images), None if strong is None else self.maps(strong))

    def maps(self, images: Tensor) -> StageMaps:
        """Return the network's maps for images; the last one alone, and the class token, if that is all."""
        stages: StageMaps = self.network.forward_stages(images, self.features or "released")  # type: ignore[operator]
        return stages if self.features is not None else StageMaps((stages.final,), (), token=stages.token)

    def outputs(self, stages: StageMaps, strong: StageMaps | None = None) -> HeadOutputs:
        """Return the outputs for what :meth:`maps` gave, of the strong views too where there are any."""
        features = None if self.features is None else Features.from_stages(stages)
        second = None if strong is None else self._regions(strong)
        return HeadOutputs(self._regions(stages), features, second)

    def over(self, network: nn.Module) -> MultiScaleHead:
        """Return the same head over another ``network``."""
        head = copy.copy(self)
        head._modules = {"network": network}
        return head

    @property
    def region_count(self) -> int:
        """Number R of regions in :class:`HeadOutputs`."""
        return region_count(self.scales) + (self.pooling == "released")

    def _regions(self, stages: StageMaps) -> Tensor:
        if not self.full_precision:
            return self._pooled(stages)
        with without_autocast(stages.final):
            return self._pooled(stages.final_as(full_precision))

    def _pooled(self, stages: StageMaps) -> Tensor:
        classifier: Classifier = self.network.classifier  # type: ignore[assignment]
        scales = pooled_scales(self.scales, self.pooling)
        regions = region_logits(stages.final, classifier, scales, stages.token)
        return chosen_regions(regions, self.scales, self.pooling)


def pooled_scales(scales: tuple[int, ...], pooling: Pooling) -> tuple[int, ...]:
    """Name the scales that are pooled from the map itself, the global view first."""
    return with_whole(scales) if pooling == "map" else (1, RELEASED_GRID)


def chosen_regions(regions: Tensor, scales: tuple[int, ...], pooling: Pooling) -> Tensor:
    """Make the regions of :class:`HeadOutputs` from those of :func:`pooled_scales`, [B, R, K] both."""
    return regions if pooling == "map" else released_regions(regions, scales)


def with_whole(scales: tuple[int, ...]) -> tuple[int, ...]:
    """Return ``scales`` with the global view first, whether or not it is among them."""
    return (1, *(scale for scale in scales if scale != 1))


@torch.no_grad()
def feature_shapes(network: nn.Module, image_size: int, kind: MapKind = "released") -> FeatureShapes:
    """Find (C, h, w) of each stage's map for images of ``image_size`` pixels a side."""
    training = network.training
    device = next(network.parameters()).device
    images = torch.zeros(2, 3, image_size, image_size, device=device)
    stages = network.eval().forward_stages(images, kind)  # type: ignore[operator]
    network.train(training)
    return FeatureShapes.of(Features.from_stages(stages))
