"""Lists the built-in losses: where the code of each is, its options, defaults and ranges; torch-free."""

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
    """Describes one named loss: where its code is (``module:name``, or the function itself), what it takes.

    >>> FEATURE_LOSSES["crd"].default_weight, LOGIT_LOSSES["dist"].per_sample
    (0.8, False)

    Attributes:
        default_weight: the published weight of a feature loss beside a cross entropy of weight 1.
        views: 2 for a logit loss of a weak and a strong view of each image, [2,N,K] -> [N].
        per_sample: the loss is a mean over images; not so where images are compared with each other. A logit
            loss that is not takes groups of images, [G,B,K] -> [G,B].
        code: of a loss of the user's own.
    """

    paper: str
    source: str | LogitFunction
    options: Mapping[str, LossOption] = field(default_factory=dict)
    default_weight: float = 1.0
    reads_maps: bool = True  # of feature losses: maps of stages, not the pooled or the final map alone
    per_sample: bool = True
    views: int = 1
    code: RegisteredCode | None = None


def _temperature(default: float) -> LossOption:
    return LossOption(default, "softmax temperature", low=0, above_low=True)


def _weight(default: float, meaning: str) -> LossOption:
    return LossOption(default, meaning, low=0)


def _gamma() -> LossOption:
    return LossOption(0.1, "exponent of the teacher's prediction", low=0, above_low=True)


def _sets_of_classes(top: int) -> dict[str, LossOption]:
    return {
        "top": LossOption(top, "k, how many of the teacher's classes are apart from the rest", low=1),
        "group_weight": _weight(1.0, "w0, weight of the probabilities of the sets"),
        "top_weight": _weight(1.0, "w1, weight of the part within the top"),
        "rest_weight": _weight(8.0, "w2, weight of the part within the rest"),
        "temperature": _temperature(4.0),
    }


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
    "rld": LossSpec(
        "Sun et al. 2024, arXiv 2408.07703",
        "trainables.losses.rld:rld",
        {
            "alpha": _weight(1.0, "weight of how sure the teacher is of its own class"),
            "beta": _weight(8.0, "weight of the part over the classes below the label"),
            "temperature": _temperature(4.0),
            "top_temperature": _temperature(1.0),
        },
    ),
    "ttm": LossSpec("Zheng and Yang, ICLR 2024", "trainables.losses.ttm:ttm", {"gamma": _gamma()}),
    "wttm": LossSpec("Zheng and Yang, ICLR 2024", "trainables.losses.ttm:wttm", {"gamma": _gamma()}),
    "normkd": LossSpec(
        "Chi et al. 2023, arXiv 2308.00520",
        "trainables.losses.normkd:normkd",
        {"temperature": _temperature(2.0)},
    ),
    "gdkd": LossSpec("Zheng and Cheng, TNNLS 2025", "trainables.losses.gdkd:gdkd", _sets_of_classes(5)),
    "gdkd3": LossSpec("Zheng and Cheng, TNNLS 2025", "trainables.losses.gdkd:gdkd3", _sets_of_classes(4)),
    "abkd": LossSpec(
        "Wang et al., ICML 2025",
        "trainables.losses.abkd:abkd",
        {
            "a": LossOption(0.8, "exponent on the teacher's side", in_formula=True),
            "b": LossOption(0.3, "exponent on the student's side", in_formula=True),
            "temperature": _temperature(4.0),
        },
    ),
    "ldrld": LossSpec(
        "Xu et al., ICCV 2025",
        "trainables.losses.ldrld:ldrld",
        {
            "alpha": _weight(10.5, "weight of the part over the student's top classes"),
            "beta": _weight(7.0, "weight of the part over the others"),
            "top": LossOption(7, "k, how many classes are compared in pairs", low=2),
            "temperature": _temperature(4.0),
        },
    ),
    "ofa": LossSpec(
        "Hao et al., NeurIPS 2023",
        "trainables.losses.ofa:ofa",
        {
            "exponent": LossOption(1.5, "of the teacher's probabilities", low=0, above_low=True),
            "temperature": _temperature(1.0),
        },
    ),
    "dist": LossSpec(
        "Huang et al., NeurIPS 2022",
        "trainables.losses.dist:dist",
        {
            "inter_weight": _weight(2.0, "weight of the relations between an image's classes"),
            "intra_weight": _weight(2.0, "weight of the relations between a batch's images"),
            "temperature": _temperature(4.0),
        },
        per_sample=False,
    ),
    "crld": LossSpec(
        "Zhang et al., ACM MM 2024",
        "trainables.losses.crld:crld",
        {
            "temperature": _temperature(4.0),
            "within_weight": _weight(2.0, "weight of the teacher's answers to the same view"),
            "across_weight": _weight(0.5, "weight of its answers to the other view"),
            "weak_confidence": _weight(0.9, "least probability of its class, weak view, for the first part"),
            "strong_confidence": _weight(0.2, "least probability of its class, strong view, for the second"),
        },
        views=2,
    ),
    "mlkd": LossSpec(
        "Jin et al., CVPR 2023",
        "trainables.losses.mlkd:mlkd",
        {
            "temperature": _temperature(4.0),
            "as_released": LossOption(True, "masks that halve, and weak views for two of the strong ones"),
        },
        per_sample=False,
        views=2,
    ),
    "swap": LossSpec(
        "a baseline of Sun et al. 2024, arXiv 2408.07703",
        "trainables.losses.swap:swap",
        {"temperature": _temperature(4.0)},
    ),
}
BUILT_IN_LOGIT_LOSSES = frozenset(LOGIT_LOSSES)

SCALE_DECOUPLED: Mapping[str, LossOption] = {
    "consistent_weight": _weight(1.0, "weight of regions as right or wrong as the global view"),
    "complementary_weight": _weight(2.0, "beta, weight of regions that differ from the global view"),
    "reduction": LossOption("mean", "over the regions of one image", choices=("mean", "sum")),
    "agreement": LossOption("released", "when a region is consistent", choices=("released", "text")),
    "standardize": LossOption(
        "no", "spread that logits are divided by before the base", choices=("no", "region", "whole")
    ),
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
        reads_maps=False,
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
        reads_maps=False,
    ),
    "pkt": LossSpec(
        "Passalis and Tefas, ECCV 2018",
        "trainables.losses.pkt:ProbabilisticTransfer",
        {},
        30000.0,
        per_sample=False,
        reads_maps=False,
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
        reads_maps=False,
    ),
    "reviewkd": LossSpec(
        "Chen et al., CVPR 2021",
        "trainables.losses.reviewkd:KnowledgeReview",
        {
            "max_channels": LossOption(512, "upper bound of the fused maps' channels", low=1),
            "student_preactivations": LossOption(False, "review the student's maps before their ReLU"),
        },
        default_weight=5.0,
    ),
}
