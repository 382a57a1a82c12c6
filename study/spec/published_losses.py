"""Holds the published settings of every built-in logit loss, each with its source.

R is the code released with SDD, see :mod:`study.spec.published`. Losses that SDD's paper does not have carry
the settings of their own releases, decoupled or not; ``source`` says where a row was seen, and what of it was
not seen anywhere and is ours. What holds for single pairs or data sets stands in
:mod:`study.spec.published_exceptions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trainables.config.serialization import Scalar


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedLoss:
    """Holds published weights of one base loss, decoupled or by itself.

    >>> found = BASE_LOSSES["kd"]
    >>> found.ce_weight, found.alpha, found.options
    (0.1, 0.9, {'temperature': 4.0})

    Attributes:
        ce_weight, alpha: weights of the cross-entropy and of the distillation term.
        options: the loss's own parameters.
        warmup_epochs: linear warm-up of the distillation term.
        source: where these were seen; what was not.
        scales: the set M of the decoupled loss, where it is not the one that ``published.scales`` gives the
            pair.
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
    "crld": PublishedLoss(
        options={
            "temperature": 4.0,
            "within_weight": 2.0,
            "across_weight": 0.5,
            "weak_confidence": 0.9,
            "strong_confidence": 0.2,
        },
        source="arcaninez/CRLD, CRLD.py; cross-entropy of weight 1 for each of the two views",
    ),
    "mlkd": PublishedLoss(
        ce_weight=0.1,
        alpha=0.9,
        options={"temperature": 4.0, "as_released": True},
        source="sunshangquan/logit-standardization-KD, MLKD.py, at mdistiller's defaults for KD; 480 epochs",
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
    "mlkd": PublishedLoss(
        ce_weight=0.1,
        alpha=9.0,
        options={"temperature": 2.0},
        source="sunshangquan/logit-standardization-KD, 480 epochs from rate 0.025; weight 6 for some pairs",
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
