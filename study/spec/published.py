"""Holds published settings of training and of every built-in logit loss, each with its source, in one place.

Sources: Wei, Luo, Luo, "Scale Decoupled Distillation", CVPR 2024, section 4 (P); the configurations released
with it, ``configs/<data>/<method>/*.yaml`` of github.com/shicaiwei123/SDD-CVPR2024, and the ``--M`` of its
run scripts (R); mdistiller, which they are a fork of (M). What is not named below is the default of
``trainables.config.Training``, which is that of CIFAR-100 and CUB-200.

Where they differ: the warm-up is R's (P says 30 epochs for every method); ImageNet's batch is P's (R: 512 in
one file, 256 in the others); NKD keeps the temperature 1 and gamma 1.5 that R gives it by itself, in SD-NKD
too, where R's code reads DKD's temperature and beta instead.

Losses that SDD's paper does not have carry the settings of their own releases, decoupled or not; ``source``
says where a row was seen, and what of it was not seen anywhere and is ours.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trainables.config.trial import Scalar, Training

BETA = 2.0
"""Weight of the complementary term (P 4.1, R)."""

CLIP_NORM = 40.0
"""Norm that R's trainer clips gradients at; CRD's trainer there does not."""

SMALL_LEARNING_RATE = 0.01
"""For ShuffleNet and MobileNetV2 students on CIFAR-100 and CUB-200 (P 4.1, R)."""

TRAINING: Mapping[str, Training] = {
    "imagenet": Training(epochs=100, batch_size=512, lr=0.2, weight_decay=1e-4, milestones=(30, 60, 90)),  # P
}
"""Training by data set, where it is not the default."""


@dataclass(frozen=True, slots=True)
class PaperCase:
    """Names what a published value may depend on: the networks and the data set, empty if unknown.

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
class PublishedLoss:
    """Holds published weights of one base loss, decoupled or by itself.

    >>> found = base_loss("kd")
    >>> found.ce_weight, found.alpha, found.options
    (0.1, 0.9, {'temperature': 4.0})

    Attributes:
        ce_weight, alpha: weights of the cross-entropy and of the distillation term.
        options: the loss's own parameters.
        warmup_epochs: linear warm-up of the distillation term.
        source: where these were seen; what was not.
        scales: the set M of the decoupled loss, where it is not the one that :func:`scales` gives the pair.
    """

    ce_weight: float = 1.0
    alpha: float = 1.0
    options: Mapping[str, Scalar] = field(default_factory=dict)
    warmup_epochs: int = 0
    scales: tuple[int, ...] | None = None
    source: str = ""


PAPER_BASES = ("kd", "dkd", "nkd")
"""The base losses that the paper decouples."""

BASE_LOSSES: Mapping[str, PublishedLoss] = {
    "kd": PublishedLoss(ce_weight=0.1, alpha=0.9, options={"temperature": 4.0}, source="R"),
    "dkd": PublishedLoss(
        options={"alpha": 1.0, "beta": 8.0, "temperature": 4.0}, warmup_epochs=20, source="R"
    ),
    "nkd": PublishedLoss(options={"temperature": 1.0, "gamma": 1.5}, warmup_epochs=20, source="R"),
    "rld": PublishedLoss(
        options={"alpha": 1.0, "beta": 8.0, "temperature": 4.0, "top_temperature": 1.0},
        warmup_epochs=20,
        source="zju-SWJ/RLD; values for single pairs were not seen but for vgg13-vgg8, which has these",
    ),
    "ttm": PublishedLoss(
        alpha=45.0,
        options={"gamma": 0.1},
        source="zkxufo/TTM, README, vgg13-vgg8; weights of most other pairs were not seen: search them",
    ),
    "wttm": PublishedLoss(
        alpha=4.0,
        options={"gamma": 0.2},
        source="zkxufo/TTM, README, vgg13-vgg8 beside CRD; weights by itself were not seen: search them",
    ),
    "normkd": PublishedLoss(
        ce_weight=0.1, alpha=0.9, options={"temperature": 2.0}, source="arcaninez/CRLD, NormKD.py"
    ),
    "gdkd": PublishedLoss(
        options={
            "top": 5,
            "group_weight": 1.0,
            "top_weight": 1.0,
            "rest_weight": 8.0,
            "temperature": 4.0,
        },
        warmup_epochs=20,
        source="ZaberKo/GDKD, configs/cifar100/gdkd",
    ),
    "gdkd3": PublishedLoss(
        options={
            "top": 4,
            "group_weight": 1.0,
            "top_weight": 1.0,
            "rest_weight": 8.0,
            "temperature": 4.0,
        },
        warmup_epochs=20,
        source="ZaberKo/GDKD, GDKD3.py; values for single pairs were not seen",
    ),
    "abkd": PublishedLoss(
        alpha=32.0,
        options={"a": 0.8, "b": 0.3, "temperature": 4.0},
        source="ghwang-s/abkd, weight 32 or 64, a and b for resnet56-resnet20; others were not seen",
    ),
    "ldrld": PublishedLoss(
        options={"alpha": 10.5, "beta": 7.0, "top": 7, "temperature": 4.0},
        source="yema-web/LDRLD, resnet32x4-resnet8x4, 20 epochs of learning-rate warm-up; others not seen",
    ),
    "ofa": PublishedLoss(
        options={"exponent": 1.5, "temperature": 1.0},
        source="Hao840/OFAKD, exponents of 1 to 1.5, beside label smoothing of 0.1",
    ),
    "dist": PublishedLoss(
        options={"inter_weight": 2.0, "intra_weight": 2.0, "temperature": 4.0},
        source="ZaberKo/GDKD, configs/cifar100/dist; zkxufo/TTM, dist.py",
    ),
    "swap": PublishedLoss(
        ce_weight=0.1,
        alpha=0.9,
        options={"temperature": 4.0},
        source="zju-SWJ/RLD, SWAP.py; its weights were not seen, these are KD's",
    ),
}
"""For every pair and data set that no row of :data:`EXCEPTIONS` names."""

STANDARDIZED: Mapping[str, PublishedLoss] = {
    "kd": PublishedLoss(
        ce_weight=0.1,
        alpha=9.0,
        options={"temperature": 2.0},
        source="sunshangquan/logit-standardization-KD; some pairs have T 3 or 4, or weight 1 or 12",
    ),
    "dkd": PublishedLoss(
        alpha=9.0,
        options={"temperature": 2.0},
        warmup_epochs=20,
        source="sunshangquan/logit-standardization-KD, weight 9 to 18, by pair and by hand",
    ),
    "rld": PublishedLoss(
        alpha=9.0,
        options={"temperature": 2.0, "top_temperature": 2.0},
        warmup_epochs=20,
        source="zju-SWJ/RLD",
    ),
    "abkd": PublishedLoss(
        ce_weight=0.1,
        alpha=36.0,
        options={"temperature": 2.0},
        source="ghwang-s/abkd, ls.py: weight 9 times T^2, which is not in the loss here",
    ),
}
"""What holds instead where logits are standardised; options that are not named stay. For other bases nothing
was seen, and their own settings stay."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedException:
    """Holds values of one base loss for some pairs, or on one data set, in place of :data:`BASE_LOSSES`'s.

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


ROW_VALUES = ("ce_weight", "alpha", "warmup_epochs", "scales")
"""Fields of a row that stand in place of those of :class:`PublishedLoss`, unless they are None."""


def base_loss(name: str, case: PaperCase = ANY_CASE, standardize: str = "no") -> PublishedLoss:
    """Return published settings of base loss ``name`` in ``case``; weights of 1 for a loss of the user's own.

    Args:
        standardize: whether its logits are standardised, which has weights and temperatures of its own.
    """
    found = BASE_LOSSES.get(name, PublishedLoss())
    for row in EXCEPTIONS:
        if row.concerns(name, case):
            given = {name: getattr(row, name) for name in ROW_VALUES}
            said: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
            found = dataclasses.replace(found, options={**found.options, **row.options}, **said)
    if standardize != "no" and name in STANDARDIZED:
        instead = STANDARDIZED[name]
        options = {**found.options, **instead.options}
        found = dataclasses.replace(instead, options=options, scales=found.scales)
    return found


def settings(base: str, case: PaperCase = ANY_CASE, standardize: str = "no") -> dict[str, Any]:
    """Return published values of knobs that depend on the base loss or on the case, by the knob's name."""
    found = base_loss(base, case, standardize)
    knobs = ("ce_weight", "alpha", "warmup_epochs")
    return {**{name: getattr(found, name) for name in knobs}, "scales": scales(case, base)}


def scales(case: PaperCase, base: str = "") -> tuple[int, ...]:
    """Give the published set: {1,2} for networks of one family, {1,2,4} otherwise (P 4.1, R's ``--M``).

    Some pairs have another one, for one ``base`` loss or for all, see :data:`EXCEPTIONS`.
    """
    if own := base_loss(base, case).scales:
        return own
    return (1, 2) if family(case.teacher) == family(case.student) else (1, 2, 4)


def family(network: str) -> str:
    """Return the family of a network, by which its pair's scales are published.

    >>> [family(name) for name in ("resnet8x4", "torchvision:resnet50", "wrn_40_2", "ShuffleV1")]
    ['resnet', 'resnet', 'wrn', 'shufflev']
    """
    match = re.match(r"(?:\w+:)?([A-Za-z]+)", network)
    return match.group(1).lower() if match else network


def released_training(data: str) -> Training:
    """Give the training of R's runs on ``data`` to the letter: gradients clipped, CUB's last batch dropped.

    Spaces whose keys are older leave both out; ``training=released_training("cifar100")``, or on the command
    line ``--set training.clip_norm=40``, asks for them.
    """
    common = TRAINING.get(data, Training())
    return dataclasses.replace(common, clip_norm=CLIP_NORM, drop_last=data == "cub200")


def learning_rate(student: str) -> float | None:
    """Return the published learning rate of a student; None where it is that of :class:`Training`."""
    return SMALL_LEARNING_RATE if family(student).startswith(("shuffle", "mobilenet")) else None
