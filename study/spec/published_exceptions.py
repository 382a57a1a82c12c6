"""Holds what was published for some pairs, or on one data set, and what a published value may depend on.

R, M: sources, see :mod:`study.spec.published`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trainables.config.serialization import Scalar


@dataclass(frozen=True, slots=True)
class PaperCase:
    """Names what a published value may depend on: the networks and the data set, empty if unknown.

    >>> from study.spec.published import base_loss, scales
    >>> case = PaperCase("vgg13", "vgg8", "cub200")
    >>> scales(case), base_loss("dkd", case).options["beta"]
    ((1, 2, 4), 6.0)

    Attributes:
        plain: whether the base loss stands by itself, not decoupled.
    """

    teacher: str = ""
    student: str = ""
    data: str = ""
    plain: bool = False


ANY_CASE = PaperCase()
"""No pair and no data set in particular."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedException:
    """Holds values of one base loss for some pairs, or on one data set, in place of ``BASE_LOSSES``'s.

    >>> row = PublishedException(base="dkd", source="R", data="imagenet", warmup_epochs=1)
    >>> row.concerns("dkd", PaperCase(data="imagenet")), row.concerns("dkd", PaperCase(data="cub200"))
    (True, False)

    Attributes:
        data: the data set; None for all.
        pairs: (teacher, student); empty for all.
        base: the base loss; empty for all.
        plain: whether the row is about the loss by itself, or about it decoupled; None for both.
    """

    base: str
    source: str
    data: str | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    plain: bool | None = None
    options: Mapping[str, Scalar] = field(default_factory=dict)
    ce_weight: float | None = None
    alpha: float | None = None
    warmup_epochs: int | None = None
    scales: tuple[int, ...] | None = None

    def concerns(self, base: str, case: PaperCase) -> bool:
        """Tell whether the row is about ``base`` in ``case``."""
        return (
            self.base in ("", base)
            and self.data in (None, case.data)
            and self.plain in (None, case.plain)
            and (not self.pairs or (case.teacher, case.student) in self.pairs)
        )


EXCEPTIONS: tuple[PublishedException, ...] = (
    PublishedException(
        base="dkd",
        pairs=(("resnet56", "resnet20"), ("resnet110", "resnet32")),
        options={"beta": 2.0},
        source="R cifar100/sdd_dkd/res56_res20, res110_res32",
    ),
    PublishedException(
        base="dkd",
        pairs=(
            ("vgg13", "vgg8"),
            ("vgg13", "MobileNetV2"),
            ("vgg13", "ShuffleV1"),
            ("wrn_40_2", "MobileNetV2"),
            ("wrn_40_2", "wrn_16_2"),
            ("wrn_40_2", "wrn_40_1"),
        ),
        options={"beta": 6.0},
        source="R cifar100/sdd_dkd/vgg13_*, wrn40_2_mv2, wrn40_2_wrn_*; cub200/sdd_dkd/vgg13_*",
    ),
    PublishedException(
        base="dkd",
        data="imagenet",
        options={"temperature": 1.0, "beta": 0.5},
        warmup_epochs=1,
        source="R imagenet/r34_r18/sdd_dkd",
    ),
    PublishedException(
        base="dkd",
        data="imagenet",
        pairs=(("torchvision:resnet50", "MobileNetV1"),),
        options={"beta": 2.0},
        source="R imagenet/r50_mv2/sdd_dkd, whose MobileNetV2 is MobileNetV1",
    ),
    PublishedException(base="nkd", data="imagenet", warmup_epochs=1, source="R imagenet/*/nkd, sdd_nkd"),
    PublishedException(
        base="ttm", pairs=(("wrn_40_2", "wrn_40_1"),), alpha=76.0, source="ghwang-s/abkd, its script for TTM"
    ),
    PublishedException(
        base="gdkd",
        pairs=(("resnet32x4", "resnet8x4"),),
        options={"top_weight": 2.0},
        source="ZaberKo/GDKD at dc5201d",
    ),
    PublishedException(
        base="gdkd",
        pairs=(("vgg13", "vgg8"), ("vgg13", "MobileNetV2")),
        options={"rest_weight": 6.0},
        source="ZaberKo/GDKD configs/cifar100/gdkd/vgg13_*",
    ),
    PublishedException(
        base="gdkd",
        pairs=(("wrn_40_2", "wrn_16_2"), ("wrn_40_2", "wrn_40_1")),
        options={"top_weight": 2.0, "rest_weight": 6.0},
        source="ZaberKo/GDKD configs/cifar100/gdkd/wrn40_2_wrn_*",
    ),
    PublishedException(
        base="gdkd",
        pairs=(("resnet110", "resnet32"),),
        options={"top_weight": 2.0, "rest_weight": 2.0},
        source="ZaberKo/GDKD configs/cifar100/gdkd/res110_res32",
    ),
    PublishedException(
        base="gdkd",
        pairs=(("resnet56", "resnet20"),),
        options={"top_weight": 1.0, "rest_weight": 1.0},
        source="ZaberKo/GDKD configs/cifar100/gdkd/res56_res20",
    ),
    PublishedException(
        base="dist",
        data="imagenet",
        options={"inter_weight": 1.0, "intra_weight": 1.0, "temperature": 1.0},
        source="zkxufo/TTM, dist.py, whose defaults these are; ImageNet's own weights were not seen",
    ),
    PublishedException(
        base="crld",
        data="tiny_imagenet",
        options={"temperature": 2.0},
        source="Zhang et al., ACM MM 2024, for Tiny ImageNet; the released configuration was not seen",
    ),
    PublishedException(
        base="crld",
        data="imagenet",
        options={"temperature": 1.0},
        ce_weight=2.0,
        source="Zhang et al., ACM MM 2024, for ImageNet; the released configuration was not seen",
    ),
    PublishedException(
        base="dkd",
        plain=True,
        pairs=(("resnet32x4", "MobileNetV2"),),
        options={"beta": 6.0},
        source="R cifar100/dkd/resnet32_mobinetv2; sdd_dkd/res32x4_mv2 leaves the default of 8",
    ),
    PublishedException(
        base="kd",
        plain=True,
        data="imagenet",
        options={"temperature": 1.0},
        ce_weight=0.5,
        alpha=0.5,
        source="M configs/imagenet/*/kd, whose numbers Tables 3 and 4 show; SD-KD stays at T = 4",
    ),
    PublishedException(
        base="", data="cub200", pairs=(("vgg13", "vgg8"),), scales=(1, 2, 4), source="R ran CUB-200 with it"
    ),
    PublishedException(
        base="nkd",
        pairs=(("ResNet50", "vgg8"), ("wrn_40_2", "vgg8")),
        scales=(1, 2),
        source="R recorded runs of SD-NKD",
    ),
)
"""Read in order; a later row wins."""
