"""Compiles the passes of a student: its network, and apart from it pooling, classifier and loss.

A study's base losses, scale sets and weights share one compiled network. Numbers of the loss are scalars on
the device, so that trials that differ in numbers alone share its code too. Shapes are static: batches smaller
than the others run uncompiled.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from trainables.config.training import Training
from trainables.config.trial import TrialConfig
from trainables.data.dataset import DataSet
from trainables.data.mixing import MixedLabels
from trainables.engine.compilation import compile_static, try_compile
from trainables.engine.compile_artifacts import kept_artifacts
from trainables.engine.criterion import Criterion
from trainables.engine.device import autocast
from trainables.engine.head import HeadOutputs, MultiScaleHead
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.losses.logits import LogitLoss
from trainables.losses.registry import logit_loss_spec
from trainables.models.backbone import StageMaps


class CompiledNetwork:
    """Runs a network up to the maps that a head takes, compiled, for all trials of one such student.

    Each trial's weights are loaded into the same modules.
    """

    def __init__(self, head: MultiScaleHead, training: Training, device: torch.device) -> None:
        self.network = head.network
        self._maps = head.maps
        self._training = training
        self._device = device
        self._run = compile_static(self._forward)

    def _forward(self, images: Tensor) -> StageMaps:
        with autocast(self._training, self._device):
            return self._maps(images)

    def warm_up(self, image_size: tuple[int, int]) -> None:
        """Compile, by a step on black images of (height, width), whose traces are wiped out."""
        images = black(self._training.batch_size, image_size, self._device)
        before = copy.deepcopy(self.network.state_dict())
        self.network.train()
        maps = self(images)
        used = [maps.final, *([] if maps.token is None else [maps.token])]
        torch.stack([part.float().sum() for part in used]).sum().backward()  # type: ignore[no-untyped-call]
        self.network.zero_grad(set_to_none=True)
        self.network.load_state_dict(before)

    def __call__(self, images: Tensor) -> StageMaps:
        """Return what the head's ``maps`` does."""
        maps: StageMaps = self._run(images)
        return maps


class CompiledStep:
    """Runs forward pass and loss, compiled, for all trials of one :func:`loss_signature`.

    Options of a built-in base loss are scalars on the device. Feature losses and the user's own losses run
    eager, under the compiled network.
    """

    def __init__(
        self,
        network: CompiledNetwork,
        head: MultiScaleHead,
        criterion: Criterion,
        training: Training,
        device: torch.device,
    ) -> None:
        self.network = network
        self.student = head.over(network.network)
        self.training = training
        self.device = device
        term = criterion.method.logit
        self.fuses_loss = not criterion.method.features and (term is None or term.code is None)
        self._options: dict[str, Tensor] = {}
        self._criterion = criterion
        self._run: Callable[..., Any] = self._loss
        if self.fuses_loss:
            self._criterion = copy.copy(criterion)
            if criterion.base is not None:
                self._criterion.base = self._with_tensor_options(criterion.base)
            self._run = compile_static(self._loss)

    def _with_tensor_options(self, base: LogitLoss) -> LogitLoss:
        """Return ``base`` with its real-valued options, but those in a formula, as scalars on the device."""
        opened = copy.copy(base)
        self._options = {
            name: torch.zeros((), device=self.device)
            for name in base.options
            if not logit_loss_spec(base.name).options[name].in_formula
        }
        opened.options = {**base.options, **self._options}  # type: ignore[dict-item]
        return opened

    def _loss(
        self,
        maps: StageMaps,
        teacher: HeadOutputs | None,
        target: Tensor,
        index: Tensor,
        weights: dict[str, Tensor],
        mixed: MixedLabels | None = None,
        strong: StageMaps | None = None,
    ) -> tuple[dict[str, Tensor], Tensor]:
        with autocast(self.training, self.device):
            outputs = self.student.outputs(maps, strong)
        return self._criterion.terms(outputs, teacher, target, index, weights, mixed), outputs.logits

    def begin_trial(self, student: nn.Module, criterion: Criterion) -> MultiScaleHead:
        """Return the modules that were compiled, with the weights of ``student`` and the loss's numbers."""
        if student is not self.student:
            self.student.load_state_dict(student.state_dict())
        if not self.fuses_loss:
            self._criterion = criterion
        for name, scalar in self._options.items():
            assert criterion.base is not None
            scalar.fill_(float(criterion.base.options[name]))  # type: ignore[arg-type]
        return self.student

    def __call__(
        self,
        images: Tensor,
        teacher: HeadOutputs | None,
        target: Tensor,
        index: Tensor,
        weights: dict[str, Tensor],
        mixed: MixedLabels | None = None,
        strong: Tensor | None = None,
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return the terms of the loss under ``weights``, and the student's logits [B, K]."""
        if self.fuses_loss and teacher is not None:
            second = None if teacher.strong is None else teacher.strong.contiguous()
            teacher = HeadOutputs(teacher.regions.contiguous(), None, second)
        maps = self.network(images)
        of_strong = None if strong is None else self.network(strong)
        result: tuple[dict[str, Tensor], Tensor]
        result = self._run(maps, teacher, target, index, weights, mixed, of_strong)
        return result

    def warm_up(self, image_size: tuple[int, int], classes: int, *, teacher: bool) -> None:
        """Compile the loss, by one on black images whose traces are wiped out."""
        if not self.fuses_loss:
            return
        before = copy.deepcopy(self.student.state_dict())
        size = self.training.batch_size
        images = black(size, image_size, self.device)
        target = torch.zeros(size, dtype=torch.int64, device=self.device)
        weights = {name: torch.ones((), device=self.device) for name in self._criterion.weights(1)}
        regions = torch.zeros(size, self.student.region_count, classes, device=self.device)
        self.student.train()
        base = self._criterion.base
        strong = None if base is None or base.views == 1 else images
        outputs = HeadOutputs(regions, None, None if strong is None else regions) if teacher else None
        second = MixedLabels(target.clone(), torch.ones((), device=self.device))
        mixed = second if self.training.mixes else None
        terms, _ = self(images, outputs, target, target, weights, mixed, strong)
        torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]
        self.student.zero_grad(set_to_none=True)
        self.student.load_state_dict(before)


def black(size: int, image_size: tuple[int, int], device: torch.device) -> Tensor:
    """Return ``size`` black images of (height, width), channels last."""
    images = torch.zeros(size, 3, *image_size, device=device)
    return images.contiguous(memory_format=torch.channels_last)


def compiled_step(
    inputs: TrialInputs, head: MultiScaleHead, criterion: Criterion, runtime: Runtime
) -> CompiledStep | None:
    """Return the step of a trial, compiled for an earlier one or now; None where that fails."""
    config, data, cache = inputs.config, inputs.data, runtime.process_cache
    network_key, loss_key = network_signature(config, data, runtime.device), loss_signature(config)

    def compile_network() -> CompiledNetwork:
        with kept_artifacts(f"network {network_key}", inputs.store, runtime):
            network = CompiledNetwork(head, config.training, runtime.device)
            network.warm_up(data.image_size)
            return network

    def compile_loss(network: CompiledNetwork) -> CompiledStep:
        with kept_artifacts(f"loss {network_key} {loss_key}", inputs.store, runtime):
            step = CompiledStep(network, head, criterion, config.training, runtime.device)
            step.warm_up(data.image_size, data.num_classes, teacher=config.teacher is not None)
            return step

    def make() -> CompiledStep | None:
        what = f"the step of {config.student}"
        attempt = partial(try_compile, what, compile_network, runtime.log)
        network = cache.get("network", network_key, attempt, capacity=4)
        if network is None:
            return None
        what = f"the loss of {config.student} by {config.method.label}"
        return try_compile(what, lambda: compile_loss(network), runtime.log)

    return cache.get("step", (network_key, loss_key), make, capacity=32)


def network_signature(config: TrialConfig, data: DataSet, device: torch.device) -> str:
    """Return all of ``config`` that is built into its network's code."""
    training = config.training
    shapes = [data.image_size, data.num_classes, training.batch_size, training.precision, str(device)]
    maps = config.method.maps if config.method.features else None
    return repr([config.student, config.large_images, training.drop_path, *shapes, maps])


def loss_signature(config: TrialConfig) -> str:
    """Return all of ``config`` that is built into its loss's code; the rest are numbers that it is given."""
    term = config.method.logit
    loss: list[Any] = []
    if term is not None:
        options = logit_loss_spec(term.base).options
        fixed = {name: value for name, value in term.options.items() if options[name].in_formula}
        loss = [term.base, term.code, fixed, term.scales, term.reduction, term.agreement, term.standardize]
        loss.append(term.pooling)
    loss += [config.training.label_smoothing > 0, config.training.mixes]
    return repr([config.teacher is not None, loss, [feature.name for feature in config.method.features]])
