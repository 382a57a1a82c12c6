"""Compiles a student's network, up to the maps that its head takes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from trainables.config.training import Training
from trainables.config.trial import TrialConfig
from trainables.data.dataset import DataSet
from trainables.engine.compilation import black, compile_static, record
from trainables.engine.device import autocast
from trainables.engine.head import MultiScaleHead
from trainables.models.backbone import StageMaps


class CompiledNetwork:
    """Runs a network up to the maps that a head takes, compiled, for all trials of one such student.

    Each trial's weights are loaded into the same modules.

    Args:
        graphs: whether its passes, forward and backward, become CUDA graphs of their own, for steps that
            cannot be recorded as a whole. Maps are then good until the next call.
    """

    def __init__(
        self, head: MultiScaleHead, training: Training, device: torch.device, *, graphs: bool = False
    ) -> None:
        self.network = head.network
        self.graphs = graphs
        self._maps = head.maps
        self._training = training
        self._device = device
        self._run = compile_static(self._forward, graphs=graphs)

    def _forward(self, images: Tensor) -> StageMaps:
        with autocast(self._training, self._device):
            return self._maps(images)

    def warm_up(self, image_size: tuple[int, int]) -> None:
        """Compile, by a step on black images of (height, width), whose traces are wiped out."""
        images = black(self._training.batch_size, image_size, self._device)

        def step() -> None:
            maps = self(images)
            used = [maps.final, *([] if maps.token is None else [maps.token])]
            torch.stack([part.float().sum() for part in used]).sum().backward()  # type: ignore[no-untyped-call]
            self.network.zero_grad(set_to_none=True)

        with without_traces(self.network):
            record(step, self._device)

    def __call__(self, images: Tensor) -> StageMaps:
        """Return what the head's ``maps`` does."""
        maps: StageMaps = self._run(images)
        return maps


@contextmanager
def without_traces(student: nn.Module) -> Iterator[None]:
    """Leave ``student`` as it was before ``with``, also where that fails: no statistics, no gradients."""
    before = copy.deepcopy(student.state_dict())
    student.train()
    try:
        yield
    finally:
        student.zero_grad(set_to_none=True)
        student.load_state_dict(before)


def network_signature(config: TrialConfig, data: DataSet, device: torch.device) -> str:
    """Return all of ``config`` that is built into its network's code."""
    training = config.training
    shapes = [data.image_size, data.num_classes, training.batch_size, training.precision, str(device)]
    maps = config.method.maps if config.method.features else None
    return repr([config.student, config.large_images, training.drop_path, *shapes, maps])
