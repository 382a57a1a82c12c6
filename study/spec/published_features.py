"""Holds published weights and warm-ups of feature losses, where they depend on the pair or the data set.

Weights that hold in any case are in the catalog of losses (``trainables.losses.catalog``). R is the released
code of SDD, as in :mod:`study.spec.published`.
"""

from __future__ import annotations

from dataclasses import dataclass

from study.spec.published import ANY_CASE, PaperCase


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFeature:
    """Holds the weight and warm-up of a feature loss where a release has others than the catalog.

    >>> feature_loss("reviewkd", PaperCase(data="imagenet")).weight
    1.0

    Attributes:
        pairs: (teacher, student); empty for all.
    """

    name: str
    source: str
    data: str | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    weight: float | None = None
    warmup_epochs: int = 0

    def concerns(self, name: str, case: PaperCase) -> bool:
        """Tell whether the row is about the feature loss ``name`` in ``case``."""
        pair = (case.teacher, case.student)
        return self.name == name and self.data in (None, case.data) and (not self.pairs or pair in self.pairs)


FEATURES: tuple[PublishedFeature, ...] = (
    PublishedFeature(name="reviewkd", warmup_epochs=20, source="R cifar100/reviewkd, cub200/reviewkd"),
    PublishedFeature(
        name="reviewkd",
        data="imagenet",
        weight=1.0,
        warmup_epochs=1,
        source="mdistiller configs/imagenet/r34_r18/reviewkd",
    ),
    PublishedFeature(
        name="reviewkd",
        data="imagenet",
        pairs=(("torchvision:resnet50", "MobileNetV1"),),
        weight=8.0,
        warmup_epochs=1,
        source="mdistiller configs/imagenet/r50_mv1/reviewkd",
    ),
)
"""Read in order; a later row wins. Weights that are None are those of the catalog of losses."""


def feature_loss(name: str, case: PaperCase = ANY_CASE) -> PublishedFeature:
    """Give the published settings of feature loss ``name`` in ``case``; no warm-up where no row says so."""
    rows = [row for row in FEATURES if row.concerns(name, case)]
    return rows[-1] if rows else PublishedFeature(name=name, source="")
