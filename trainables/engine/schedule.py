"""Gives the learning rate of each step, by the schedule of a training."""

from __future__ import annotations

import math

from trainables.config.training import Training


def learning_rate(training: Training, epochs_done: float) -> float:
    """Return the learning rate after ``epochs_done`` epochs (fractions within an epoch count).

    Step: lr * lr_decay^(milestones passed). Cosine: lr * (1 + cos(pi * epochs_done / epochs)) / 2. During the
    warm-up either is multiplied by (epochs_done + 1) / (lr_warmup_epochs + 1).

    >>> learning_rate(Training(lr=1.0, milestones=(150, 180)), epochs_done=150)
    0.1
    """
    lr = training.lr
    if training.schedule == "cosine":
        lr *= (1 + math.cos(math.pi * min(epochs_done / training.epochs, 1.0))) / 2
    else:
        lr *= training.lr_decay ** sum(epochs_done >= milestone for milestone in training.milestones)
    return lr * min((epochs_done + 1) / (training.lr_warmup_epochs + 1), 1.0)
