"""The whole training loss of one method: ce_weight * L_CE + alpha * L_SDD + weighted feature losses.

Shape legend: B images, R regions with the global view first, K classes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from trainables.config import LogitTerm, Method
from trainables.losses import linear_warmup, logit_loss, scale_decoupled
from trainables.losses.features import Features, FeatureShapes, feature_loss
from trainables.losses.precision import full_precision, without_autocast
from trainables.models.multiscale import region_logits


class Outputs(NamedTuple):
    """What a network says of a batch, so far as the method asks.

    Attributes:
        regions: logits [B, R, K] of the global view, then of the regions of each further scale.
        features: its maps, or None where no feature loss wants them.
    """

    regions: Tensor
    features: Features | None

    @property
    def logits(self) -> Tensor:
        """Logits of the whole image, [B, K]."""
        return self.regions[:, 0]


class MultiScaleHead(nn.Module):
    """Any network of ``trainables.models``, asked for the outputs a method needs: images -> :class:`Outputs`.

    Args:
        scales: of the regions; the global view comes first, whether or not 1 is among them.
        features: whether maps are wanted as well.
        full_precision: pool and classify in float32, whatever the network computes in.
    """

    def __init__(
        self,
        network: nn.Module,
        scales: tuple[int, ...] = (1,),
        *,
        features: bool = False,
        full_precision: bool = False,
    ) -> None:
        super().__init__()
        self.network = network
        self.scales = with_whole(scales)
        self.features = features
        self.full_precision = full_precision

    def forward(self, images: Tensor) -> Outputs:
        """Images [B, 3, H, W], normalised."""
        network = self.network
        if not self.features:
            return Outputs(self._regions(network.forward_features(images)), None)  # type: ignore[operator]
        features = Features.from_stages(network.forward_stages(images))  # type: ignore[operator]
        return Outputs(self._regions(features.maps[-1]), features)

    def _regions(self, final: Tensor) -> Tensor:
        if not self.full_precision:
            return region_logits(final, self.network.classifier, self.scales)  # type: ignore[arg-type]
        with without_autocast(final):
            return region_logits(full_precision(final), self.network.classifier, self.scales)  # type: ignore[arg-type]


def with_whole(scales: tuple[int, ...]) -> tuple[int, ...]:
    """``scales`` with the global view first, whether or not it is among them."""
    return (1, *(scale for scale in scales if scale != 1))


class Criterion(nn.Module):
    """The loss of a :class:`~trainables.config.Method`, its terms by name.

    Feature losses with parameters of their own are submodules: they are trained and checkpointed with the
    student and left out of what is exported.
    """

    def __init__(
        self,
        method: Method,
        student: FeatureShapes | None = None,
        teacher: FeatureShapes | None = None,
        num_samples: int = 0,
    ) -> None:
        super().__init__()
        self.method = method
        self.base = logit_loss(method.logit.base, **method.logit.options) if method.logit else None
        self.feature_losses = nn.ModuleList()
        for term in method.features:
            if student is None or teacher is None:
                raise ValueError(f"feature loss {term.name} needs the shapes of the maps")
            self.feature_losses.append(feature_loss(term.name, student, teacher, num_samples, **term.options))

    def forward(
        self, student: Outputs, teacher: Outputs | None, target: Tensor, index: Tensor, epoch: int
    ) -> dict[str, Tensor]:
        """:meth:`terms` with the weights of ``epoch``."""
        return self.terms(student, teacher, target, index, self.weights(epoch))

    def weights(self, epoch: int) -> dict[str, float]:
        """All weights in ``epoch``, counted from 1, warm-up included."""
        weights = {"ce": self.method.ce_weight}
        term = self.method.logit
        if term is not None:
            weights["logit"] = term.alpha * linear_warmup(epoch, term.warmup_epochs)
            weights["consistent"], weights["complementary"] = (
                term.consistent_weight,
                term.complementary_weight,
            )
        for position, feature in enumerate(self.method.features):
            weights[f"feature{position}"] = feature.weight * linear_warmup(epoch, feature.warmup_epochs)
        return weights

    def terms(
        self,
        student: Outputs,
        teacher: Outputs | None,
        target: Tensor,
        index: Tensor,
        weights: Mapping[str, float | Tensor],
    ) -> dict[str, Tensor]:
        """Weighted terms, scalars in float32: ``ce``, ``logit``, ``feature``; the loss is their sum.

        Args:
            student, teacher: outputs for the same augmented images; no teacher for plain training.
            target: labels [B].
            index: position of each image in the train set [B].
            weights: as :meth:`weights` gives them, or as scalars on the device.
        """
        terms = {"ce": weights["ce"] * functional.cross_entropy(full_precision(student.logits), target)}
        if teacher is None:
            return terms
        if self.method.logit is not None:
            terms["logit"] = weights["logit"] * self._decoupled(
                self.method.logit, student, teacher, target, weights
            )
        for position, loss in enumerate(self.feature_losses):
            value = weights[f"feature{position}"] * loss(student.features, teacher.features, target, index)
            terms["feature"] = terms["feature"] + value if "feature" in terms else value
        return terms

    def _decoupled(
        self,
        term: LogitTerm,
        student: Outputs,
        teacher: Outputs,
        target: Tensor,
        weights: Mapping[str, float | Tensor],
    ) -> Tensor:
        first = 0 if 1 in term.scales else 1
        assert self.base is not None
        return scale_decoupled(
            self.base,
            student.regions[:, first:],
            teacher.regions[:, first:],
            target,
            consistent_weight=weights["consistent"],
            complementary_weight=weights["complementary"],
            reduction=term.reduction,
            agreement=term.agreement,
            teacher_global=teacher.logits,
        )


@torch.no_grad()
def feature_shapes(network: nn.Module, image_size: int) -> FeatureShapes:
    """(C, h, w) of each stage's map for images of ``image_size`` pixels a side."""
    training = network.training
    device = next(network.parameters()).device
    stages = network.eval().forward_stages(torch.zeros(2, 3, image_size, image_size, device=device))  # type: ignore[operator]
    network.train(training)
    return FeatureShapes.of(Features.from_stages(stages))
