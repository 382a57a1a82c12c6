"""Says what a student learns from: the terms of its loss, and how they see the teacher's maps and logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from trainables.config.key import SINCE_LATER
from trainables.config.scales import check_scales
from trainables.config.serialization import ConfigError, Scalar, require

Pooling = Literal["map", "released"]
"""Map or cells that regions are pooled from, see :class:`LogitTerm`."""
RELEASED_GRID = 4
"""Cells a side that the released code pools a map to before it pools regions."""
MapKind = Literal["activated", "released"]
"""Kind of maps that feature losses compare, see ``trainables.models.backbone.StageMaps``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogitTerm:
    """Describes the logit loss alpha * (D_con + beta * D_com), eq. 10 and 11 of the paper, for one base loss.

    >>> LogitTerm(base="dkd").label, LogitTerm(base="dkd", scales=(1, 2, 4)).label
    ('DKD', 'SD-DKD')

    Attributes:
        base: logit loss, see ``trainables.losses.logit_loss_names``, or a registered one.
        options: its own parameters, such as ``temperature``.
        code: hash of the source of a registered loss, so that an edited one is another trial.
        alpha: weight of the whole term.
        scales: the set M; a scale m splits the map into m x m regions. (1,) is the base loss itself.
        consistent_weight, complementary_weight: weights of D_con and D_com (beta).
        reduction: ``mean`` over regions (released code) or ``sum`` (eq. 9).
        agreement: when a region is complementary: ``released`` (right xor right) or ``text`` (other class).
        pooling: each scale's cells are pooled from the ``map`` (eq. 6), or, as ``released``, from 4x4 cells
            of it; one and the same where 4 divides the map's sides.
        warmup_epochs: the term's weight rises linearly to alpha over this many epochs.
        standardize: whether the base gets logits over their spread: ``no``, each ``region`` over its own, or
            all over that of the ``whole`` image's.
    """

    base: str = "kd"
    options: Mapping[str, Scalar] = field(default_factory=dict)
    code: str | None = None
    alpha: float = 1.0
    scales: tuple[int, ...] = (1,)
    consistent_weight: float = 1.0
    complementary_weight: float = 1.0
    reduction: Literal["mean", "sum"] = "mean"
    agreement: Literal["released", "text"] = "released"
    warmup_epochs: int = 0
    standardize: Literal["no", "region", "whole"] = field(default="no", metadata=SINCE_LATER)
    pooling: Pooling = field(default="map", metadata=SINCE_LATER)

    def __post_init__(self) -> None:
        try:
            check_scales(self.scales)
        except ValueError as error:
            raise ConfigError(str(error).replace("scales", "scales:", 1)) from None
        require(
            self.pooling == "map" or not any(RELEASED_GRID % scale for scale in self.scales),
            f"pooling: 'released' pools 4x4 cells, which scales {self.scales} do not all divide; say 'map'",
        )
        for name in ("alpha", "consistent_weight", "complementary_weight", "warmup_epochs"):
            require(getattr(self, name) >= 0, f"{name}: {getattr(self, name)} is below 0")

    @property
    def decoupled(self) -> bool:
        """True where any region beside the whole, or any weight beside 1, takes part."""
        return self.scales != (1,) or (self.consistent_weight, self.complementary_weight) != (1.0, 1.0)

    @property
    def label(self) -> str:
        """Name that tables use: KD, SD-KD, KD+LS (standardised), SD-KD+LSW (by the whole image)."""
        how = "region" if self.standardize == "whole" and not self.decoupled else self.standardize
        standardised = {"no": "", "region": "+LS", "whole": "+LSW"}[how]
        return ("SD-" if self.decoupled else "") + self.base.upper() + standardised


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureTerm:
    """Describes weight * L_feature for one feature loss (fitnet, at, sp, rkd, pkt, crd, reviewkd).

    >>> FeatureTerm(name="at", weight=1000.0).warmup_epochs
    0

    Attributes:
        options: the loss's own parameters.
        warmup_epochs: the term's weight rises linearly to ``weight`` over this many epochs.
    """

    name: str
    weight: float
    options: Mapping[str, Scalar | tuple[int, ...]] = field(default_factory=dict)
    warmup_epochs: int = 0

    def __post_init__(self) -> None:
        require(self.weight >= 0, f"weight: {self.weight} is below 0")
        require(self.warmup_epochs >= 0, f"warmup_epochs: {self.warmup_epochs} is below 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """Describes the loss of a run: ce_weight * L_CE + logit term + sum of feature terms.

    Without terms it is plain supervised training.

    >>> Method().label, Method(logit=LogitTerm(), features=(FeatureTerm(name="crd", weight=0.8),)).label
    ('CE', 'KD+CRD')

    Attributes:
        maps: the maps of wide ResNets, MobileNetV2 and ShuffleV2 that feature losses compare: ``released``,
            those of RepDistiller and mdistiller (before the closing layers), or ``activated`` (after them).
    """

    ce_weight: float = 1.0
    logit: LogitTerm | None = None
    features: tuple[FeatureTerm, ...] = ()
    maps: MapKind = field(default="activated", metadata=SINCE_LATER)

    def __post_init__(self) -> None:
        require(self.ce_weight >= 0, f"ce_weight: {self.ce_weight} is below 0")

    @property
    def regions(self) -> tuple[tuple[int, ...], Pooling]:
        """Scales and pooling of the regions that networks give; without a logit term the whole image."""
        return (self.logit.scales, self.logit.pooling) if self.logit else ((1,), "map")

    @property
    def label(self) -> str:
        """Name that tables use: CE, KD, SD-KD, SD-KD+LS, FITNET, KD+CRD, ..."""
        parts = [self.logit.label] if self.logit else []
        parts += [term.name.upper() for term in self.features]
        return "+".join(parts) or "CE"
