"""The built-in losses: where the code of each is, its options with defaults and ranges; torch-free."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from trainables.losses.options import LossOption

if TYPE_CHECKING:
    from torch import Tensor

LogitFunction: TypeAlias = "Callable[..., Tensor]"


@dataclass(frozen=True, slots=True)
class RegisteredCode:
    """Holds the source of a loss of the user's own, as it was when the loss was registered.

    Read once: a file that is edited afterwards changes neither what is computed nor what trials are filed
    under.

    Attributes:
        fingerprint: hash of the function's own text; empty where that could not be read.
        file_text: text of the whole file, which trial processes run.
    """

    fingerprint: str
    file_text: str


@dataclass(frozen=True, slots=True)
class LossSpec:
    """One named loss: where its code is (``module:name``, or the function itself) and what it takes."""

    paper: str
    source: str | LogitFunction
    options: Mapping[str, LossOption] = field(default_factory=dict)
    default_weight: float = 1.0  # the published weight of the term beside a cross entropy of weight 1
    per_sample: bool = True  # a mean over images; not so where images are compared with each other
    code: RegisteredCode | None = None  # of a loss of the user's own


def _temperature(default: float) -> LossOption:
    return LossOption(default, "softmax temperature", low=0, above_low=True)


def _weight(default: float, meaning: str) -> LossOption:
    return LossOption(default, meaning, low=0)


LOGIT_LOSSES: dict[str, LossSpec] = {
    "kd": LossSpec("Hinton et al. 2015", "trainables.losses.kd:kd", {"temperature": _temperature(4.0)}),
    "dkd": LossSpec(
        "Zhao et al., CVPR 2022",
        "trainables.losses.dkd:dkd",
        {
            "alpha": _weight(1.0, "weight of the target-class part"),
            "beta": _weight(8.0, "weight of the part over the other classes"),
            "temperature": _temperature(4.0),
        },
    ),
    "nkd": LossSpec(
        "Yang et al., ICCV 2023",
        "trainables.losses.nkd:nkd",
        {
            "temperature": _temperature(1.0),
            "gamma": _weight(1.5, "weight of the part over the other classes"),
            "as_released": LossOption(False, "keep the target class among the others, as SDD's code does"),
        },
    ),
}
BUILT_IN_LOGIT_LOSSES = frozenset(LOGIT_LOSSES)

SCALE_DECOUPLED: Mapping[str, LossOption] = {
    "consistent_weight": _weight(1.0, "weight of regions as right or wrong as the global view"),
    "complementary_weight": _weight(2.0, "beta, weight of regions that differ from the global view"),
    "reduction": LossOption("mean", "over the regions of one image", choices=("mean", "sum")),
    "agreement": LossOption("released", "when a region is consistent", choices=("released", "text")),
}


FEATURE_LOSSES: Mapping[str, LossSpec] = {
    "fitnet": LossSpec(
        "Romero et al., ICLR 2015",
        "trainables.losses.fitnet:FitNet",
        {"layer": LossOption(2, "the stage whose map is matched; 0 is the stem", low=0)},
        default_weight=100.0,
    ),
    "at": LossSpec(
        "Zagoruyko and Komodakis, ICLR 2017",
        "trainables.losses.at:AttentionTransfer",
        {"power": LossOption(2.0, "exponent of the activations", low=1)},
        default_weight=1000.0,
    ),
    "sp": LossSpec(
        "Tung and Mori, ICCV 2019", "trainables.losses.sp:SimilarityPreserving", {}, 3000.0, per_sample=False
    ),
    "sp_multiscale": LossSpec(
        "Tung and Mori, ICCV 2019, on the scales of SDD (its Table A2)",
        "trainables.losses.sp:MultiScaleSimilarity",
        {
            "scales": LossOption((1, 2, 4), "grids whose cells are compared"),
            "reduction": LossOption("mean", "over the cells", choices=("mean", "sum")),
        },
        default_weight=3000.0,
        per_sample=False,
    ),
    "rkd": LossSpec(
        "Park et al., CVPR 2019",
        "trainables.losses.rkd:RelationalKD",
        {
            "distance_weight": _weight(25.0, "weight of the distances between pairs"),
            "angle_weight": _weight(50.0, "weight of the angles in triplets"),
            "squared": LossOption(False, "compare squared distances"),
        },
        per_sample=False,
    ),
    "pkt": LossSpec(
        "Passalis and Tefas, ECCV 2018",
        "trainables.losses.pkt:ProbabilisticTransfer",
        {},
        30000.0,
        per_sample=False,
    ),
    "crd": LossSpec(
        "Tian et al., ICLR 2020",
        "trainables.losses.crd:ContrastiveDistillation",
        {
            "dim": LossOption(128, "size of the embeddings", low=1),
            "negatives": LossOption(16384, "k, samples contrasted with each positive", low=1),
            "temperature": _temperature(0.07),
            "momentum": LossOption(
                0.5, "share of a sample's stored embedding kept at its update", low=0, high=1
            ),
        },
        default_weight=0.8,
        per_sample=False,
    ),
    "reviewkd": LossSpec(
        "Chen et al., CVPR 2021",
        "trainables.losses.reviewkd:KnowledgeReview",
        {
            "max_channels": LossOption(512, "upper bound of the fused maps' channels", low=1),
            "student_preactivations": LossOption(False, "review the student's maps before their ReLU"),
        },
    ),
}
