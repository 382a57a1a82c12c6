"""Keeps losses in float32, or in float64 where that is what came in, whatever the networks run in."""

from __future__ import annotations

import torch
from torch import Tensor


def full_precision(x: Tensor) -> Tensor:
    """Return ``x`` in float32; float64 stays (gradients are checked in it)."""
    return x if x.dtype == torch.float64 else x.float()


def without_autocast(x: Tensor) -> torch.autocast:
    """Return a context in which matrix products on the device of ``x`` keep their inputs' precision."""
    return torch.autocast(device_type=x.device.type, enabled=False)
