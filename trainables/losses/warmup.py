"""Warms the distillation term up linearly; torch-free."""

from __future__ import annotations

from trainables.losses.options import LossError


def linear_warmup(epoch: int, warmup_epochs: int) -> float:
    """Return the factor on the distillation term in ``epoch``, from 1: min(epoch / warmup_epochs, 1).

    This is mdistiller's convention, which the released SDD code keeps: the first epoch of a warm-up of 20
    has weight 1/20, the 20th has 1. A warm-up of 0 or 1 epochs is none.

    >>> [linear_warmup(epoch, 4) for epoch in (1, 2, 4, 5)]
    [0.25, 0.5, 1.0, 1.0]
    """
    if epoch < 1:
        raise LossError(f"epoch: {epoch} is not allowed; epochs are counted from 1")
    if warmup_epochs < 0:
        raise LossError(f"warmup_epochs: {warmup_epochs} is not allowed; it must be at least 0")
    return min(epoch / max(warmup_epochs, 1), 1.0)
