"""The settings of the paper's experiments, each with its source, in one place.

Sources: Wei, Luo, Luo, "Scale Decoupled Distillation", CVPR 2024, section 4 (P) and the configurations released
with it (R); where the two differ, ``docs/decisions.md`` says which one is followed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from trainables.config import Scalar

BETA = 2.0
"""Weight of the complementary term (P 4.1)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseLoss:
    """Published weights of one base loss.

    Attributes:
        ce_weight, alpha: weights of the cross-entropy and of the distillation term.
        options: the loss's own parameters.
        warmup_epochs: linear warm-up of the decoupled term out of 240 epochs.
    """

    ce_weight: float = 1.0
    alpha: float = 1.0
    options: Mapping[str, Scalar] = field(default_factory=dict)
    warmup_epochs: int = 0


BASE_LOSSES: Mapping[str, BaseLoss] = {
    "kd": BaseLoss(ce_weight=0.1, alpha=0.9, options={"temperature": 4.0}),  # R; warm-up none
    "dkd": BaseLoss(options={"alpha": 1.0, "beta": 8.0, "temperature": 4.0}, warmup_epochs=20),  # R
    "nkd": BaseLoss(options={"temperature": 1.0, "gamma": 1.5}, warmup_epochs=20),  # R
}
EPOCHS = 240
"""Epochs on CIFAR-100 and CUB-200 (P 4.1), to which the warm-ups above belong."""

SMALL_LEARNING_RATE = 0.01
"""For ShuffleNet and MobileNetV2 students; 0.05 for the others (P 4.1, R)."""


def base_loss(name: str) -> BaseLoss:
    """Published settings of base loss ``name``; weights of 1 for a loss of the user's own."""
    return BASE_LOSSES.get(name, BaseLoss())


def scales(teacher: str, student: str) -> tuple[int, ...]:
    """{1,2} for networks of one family, {1,2,4} for networks of different ones (P 4.1)."""
    return (1, 2) if family(teacher) == family(student) else (1, 2, 4)


def family(network: str) -> str:
    """``resnet`` for resnet8x4 and resnet20, ``wrn`` for wrn_40_2, ``ShuffleV`` for ShuffleV1."""
    match = re.match(r"(?:\w+:)?([A-Za-z]+)", network)
    return match.group(1) if match else network


def learning_rate(student: str) -> float | None:
    """The published learning rate where it is not the usual one."""
    return SMALL_LEARNING_RATE if family(student).lower().startswith(("shuffle", "mobilenet")) else None
