"""Made curves that rise and jitter, some of them crossing."""

from __future__ import annotations

import numpy as np

from study.journal.curves import Floats
from study.simulation.curve_set import CurveSet
from trainables.config import Training

EPOCHS = 27


def curves(count: int, seed: int, jitter: float = 2.0, epochs: int = EPOCHS) -> Floats:
    """[count, epochs]; no two values of an epoch are equal."""
    random = np.random.default_rng(seed)
    top, speed = random.uniform(40, 80, size=(count, 1)), random.uniform(0.05, 0.5, size=(count, 1))
    made: Floats = top * (1 - (1 - speed) ** np.arange(1, epochs + 1))
    return made + random.normal(0, jitter, size=made.shape)


def search(count: int, seed: int, jitter: float = 2.0) -> CurveSet:
    """The same as one search."""
    return CurveSet("made", curves(count, seed, jitter), Training(epochs=EPOCHS, milestones=()))
