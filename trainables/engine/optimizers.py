"""Lists the optimisers by name."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from trainables.config.training import Training
from trainables.engine.dot import DOT
from trainables.engine.optimizer import SGD, AdamW, Optimizer

OPTIMIZERS: dict[str, type[Optimizer]] = {"sgd": SGD, "adamw": AdamW, "dot": DOT}
"""By their names in ``Training.optimizer``."""


def make_optimizer(parameters: Iterable[nn.Parameter], training: Training) -> Optimizer:
    """Return the optimiser that ``training`` names, for ``parameters``."""
    return OPTIMIZERS[training.optimizer](parameters, training)
