"""Compiles a student's pooling, classifier and loss, over its network, which is compiled apart.

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
from trainables.data.mixing import MixedLabels
from trainables.engine.compilation import black, compile_static, try_compile, try_compile_graphs
from trainables.engine.compile_artifacts import kept_artifacts
from trainables.engine.compiled_network import CompiledNetwork, network_signature, without_traces
from trainables.engine.criterion import Criterion
from trainables.engine.device import autocast
from trainables.engine.head import HeadOutputs, MultiScaleHead
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.losses.logits import LogitLoss
from trainables.losses.registry import logit_loss_spec
from trainables.models.backbone import StageMaps


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
        assert strong is None or not self.network.graphs, "the first view's maps would be written over"
        of_strong = None if strong is None else self.network(strong)
        result: tuple[dict[str, Tensor], Tensor]
        result = self._run(maps, teacher, target, index, weights, mixed, of_strong)
        return result

    def warm_up(self, image_size: tuple[int, int], classes: int, *, teacher: bool) -> None:
        """Compile the loss, by one on black images whose traces are wiped out."""
        if not self.fuses_loss:
            return
        size = self.training.batch_size
        images = black(size, image_size, self.device)
        target = torch.zeros(size, dtype=torch.int64, device=self.device)
        weights = {name: torch.ones((), device=self.device) for name in self._criterion.weights(1)}
        regions = torch.zeros(size, self.student.region_count, classes, device=self.device)
        base = self._criterion.base
        strong = None if base is None or base.views == 1 else images
        outputs = HeadOutputs(regions, None, None if strong is None else regions) if teacher else None
        second = MixedLabels(target.clone(), torch.ones((), device=self.device))
        mixed = second if self.training.mixes else None
        with without_traces(self.student):
            terms, _ = self(images, outputs, target, target, weights, mixed, strong)
            torch.stack(list(terms.values())).sum().backward()  # type: ignore[no-untyped-call]


def compiled_step(
    inputs: TrialInputs,
    head: MultiScaleHead,
    criterion: Criterion,
    runtime: Runtime,
    *,
    graphs: bool = False,
) -> CompiledStep | None:
    """Return the step of a trial, compiled for an earlier one or now; None where that fails.

    Args:
        graphs: whether the network's passes become CUDA graphs; if that is refused, they are launched.
    """
    config, data, cache = inputs.config, inputs.data, runtime.process_cache
    network_key = (network_signature(config, data, runtime.device), graphs)
    loss_key = loss_signature(config)

    def compile_network(graphs: bool) -> CompiledNetwork:
        with kept_artifacts(f"network {network_key}", inputs.store, runtime):
            network = CompiledNetwork(head, config.training, runtime.device, graphs=graphs)
            network.warm_up(data.image_size)
            return network

    def compile_loss(network: CompiledNetwork) -> CompiledStep:
        with kept_artifacts(f"loss {network_key} {loss_key}", inputs.store, runtime):
            step = CompiledStep(network, head, criterion, config.training, runtime.device)
            step.warm_up(data.image_size, data.num_classes, teacher=config.teacher is not None)
            return step

    def make() -> CompiledStep | None:
        what = f"the network of {config.student}"
        attempt = partial(try_compile_graphs, what, compile_network, runtime.log, graphs=graphs)
        network = cache.get("network", network_key, attempt, capacity=4)
        if network is None:
            return None
        what = f"the loss of {config.student} by {config.method.label}"
        return try_compile(what, lambda: compile_loss(network), runtime.log)

    return cache.get("step", (network_key, loss_key), make, capacity=32)


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
