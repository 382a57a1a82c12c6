"""Holds on the device how an epoch's batches are mixed, where each step finds its own part by a counter."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from trainables.config.training import Training
from trainables.data.mixing import MixedLabels, drawn_mixture, drawn_partners, mixed
from trainables.data.split import Batch, Split


class MixtureTables:
    """Mixes the images of each step's batch as it is drawn for (seed, epoch, step).

    Args:
        split: whose images are shown.
        batch_size: images of each step.
        steps: most steps of an epoch.
    """

    def __init__(self, split: Split, batch_size: int, steps: int) -> None:
        device = split.device
        self._image_size = split.image_size
        self._partners = torch.zeros(steps, batch_size, dtype=torch.int64, device=device)
        self._numbers = torch.zeros(steps, 8, dtype=torch.float32, device=device)
        self._step = torch.zeros((), dtype=torch.int64, device=device)

    def begin(self, training: Training, steps: int, seeds: tuple[int, int]) -> None:
        """Draw how the first ``steps`` batches of the epoch of ``seeds``, (seed, epoch), are mixed."""
        count, (seed, epoch) = self._partners.shape[1], seeds
        drawn = [drawn_mixture(training, seed, epoch, step) for step in range(steps)]
        numbers = [mixture.numbers(self._image_size) for mixture in drawn if mixture is not None]
        partners = [drawn_partners(count, seed=seed, epoch=epoch, step=step) for step in range(steps)]
        self._numbers[:steps] = torch.from_numpy(np.stack(numbers))
        self._partners[:steps] = torch.from_numpy(np.stack(partners))
        self._step.zero_()

    def mix(self, batch: Batch) -> tuple[Batch, MixedLabels]:
        """Mix ``batch``, that of the step that the counter is at; count it."""
        at = self._step.view(1)
        partners, numbers = self._partners.index_select(0, at)[0], self._numbers.index_select(0, at)[0]
        self._step.add_(1)
        return mixed(batch, partners, numbers)

    def state(self) -> Iterator[Tensor]:
        """Yield the tensors that :meth:`mix` changes."""
        yield self._step
