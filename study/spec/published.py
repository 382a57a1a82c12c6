"""Looks up what was published for a base loss, a pair and a data set, and holds the settings of training.

Sources: Wei, Luo, Luo, "Scale Decoupled Distillation", CVPR 2024, section 4 (P); the configurations released
with it, ``configs/<data>/<method>/*.yaml`` of github.com/shicaiwei123/SDD-CVPR2024, and the ``--M`` of its
run scripts (R); mdistiller, which they are a fork of (M). What is not named below is the default of
``trainables.config.Training``, which is that of CIFAR-100 and CUB-200.

Where they differ: the warm-up is R's (P says 30 epochs for every method); ImageNet's batch is P's (R: 512 in
one file, 256 in the others); NKD keeps the temperature 1 and gamma 1.5 that R gives it by itself, in SD-NKD
too, where R's code reads DKD's temperature and beta instead.

Rows by base loss lie in :mod:`study.spec.published_losses`, those of single pairs and data sets in
:mod:`study.spec.published_exceptions`; here they are put together.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from study.spec.published_exceptions import ANY_CASE, EXCEPTIONS, PaperCase
from study.spec.published_losses import BASE_LOSSES, PAPER_BASES, STANDARDIZED, PublishedLoss
from trainables.config.training import Training

__all__ = [
    "ANY_CASE",
    "BASE_LOSSES",
    "BETA",
    "CLIP_NORM",
    "EXCEPTIONS",
    "PAPER_BASES",
    "SMALL_LEARNING_RATE",
    "STANDARDIZED",
    "TRAINING",
    "PaperCase",
    "base_loss",
    "family",
    "learning_rate",
    "released_training",
    "scales",
    "settings",
]

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
