"""Keeps an exponential moving average of a student's weights, to be measured and filed in their place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from trainables.distributed.process_group import ProcessGroup


class WeightAverage:
    """Averages the weights of a network, and the running statistics of its norms, over training steps.

    After step t, counted from 0: a <- a + (1 - d) * (w - a) with d = min(decay, (1 + t) / (10 + t)), so that
    the first steps do not keep initial weights in a short training's average. Running statistics are averaged
    as weights are; whole numbers (counts of batches) are not.
    Polyak and Juditsky, 1992; the rising decay is that of TensorFlow's ``ExponentialMovingAverage``.

    Attributes:
        decay: share of the average that stays in a step, once it has risen.
        steps: number of steps averaged over, a scalar on the device.

    Example:
        >>> network = nn.Linear(1, 1, bias=False)
        >>> _ = nn.init.zeros_(network.weight)
        >>> average = WeightAverage(network, decay=0.5)
        >>> _ = nn.init.ones_(network.weight)
        >>> average.update()  # d = 1/10
        >>> with average.applied():
        ...     round(network.weight.item(), 4)
        0.9
        >>> network.weight.item()
        1.0
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self._live: list[Tensor] = [
            value for value in network.state_dict(keep_vars=True).values() if value.is_floating_point()
        ]
        with torch.no_grad():
            self._averaged = [value.detach().clone() for value in self._live]
        self.steps = torch.zeros((), dtype=torch.float32, device=self._averaged[0].device)

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights as they are after a step; the host need not know how many there were."""
        decay = ((1 + self.steps) / (10 + self.steps)).clamp(max=self.decay)
        changes = torch._foreach_sub([value.detach() for value in self._live], self._averaged)
        torch._foreach_mul_(changes, 1 - decay)
        torch._foreach_add_(self._averaged, changes)
        self.steps.add_(1)

    def state(self) -> Iterator[Tensor]:
        """Yield the tensors that :meth:`update` changes."""
        yield from self._averaged
        yield self.steps

    @torch.no_grad()
    def reset(self) -> None:
        """Begin with the network's weights as they are now."""
        torch._foreach_copy_(self._averaged, self._live)
        self.steps.zero_()

    def share(self, group: ProcessGroup) -> None:
        """Set the average to its mean over the group, whose running statistics may differ within an epoch."""
        for value in self._averaged:
            value.copy_(group.all_reduce(value.double()) / group.size)

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Put the average into the network for the time of a ``with`` block."""
        with torch.no_grad():
            kept = [value.detach().clone() for value in self._live]
            torch._foreach_copy_(self._live, self._averaged)
        try:
            yield
        finally:
            with torch.no_grad():
                torch._foreach_copy_(self._live, kept)

    def state_dict(self) -> dict[str, Any]:
        """Return the average and the number of its steps."""
        return {"steps": self.steps, "averaged": list(self._averaged)}

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from :meth:`state_dict`."""
        self.steps.fill_(state["steps"])
        for mine, kept in zip(self._averaged, state["averaged"], strict=True):
            mine.copy_(kept)
