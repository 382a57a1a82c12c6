"""Holds the learning rates of an epoch's steps on the device, where each step finds its own by a counter."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class StepTable:
    """Counts steps on the device and gives each its learning rate; everything keeps its place in memory.

    Args:
        steps: most steps of an epoch.

    Attributes:
        step: number of the step that is next, a scalar on the device.

    Example:
        >>> table = StepTable(3, torch.device("cpu"))
        >>> table.set_rates([0.3, 0.2])
        >>> round(table.next_rate().item(), 3), round(table.next_rate().item(), 3), table.step.item()
        (0.3, 0.2, 2)
    """

    def __init__(self, steps: int, device: torch.device) -> None:
        kind = torch.float32 if device.type == "cuda" else torch.float64  # as fused kernels read a rate
        self._rates = torch.zeros(steps, dtype=kind, device=device)
        self.step = torch.zeros((), dtype=torch.int64, device=device)

    def set_rates(self, rates: Sequence[float]) -> None:
        """Take the learning rate of each step, and begin with the first."""
        self._rates[: len(rates)] = torch.tensor(rates, dtype=self._rates.dtype)
        self.step.zero_()

    def next_rate(self) -> Tensor:
        """Return the learning rate of the step that the counter is at; count it."""
        rate = self._rates.index_select(0, self.step.view(1)).view(())
        self.step.add_(1)
        return rate
