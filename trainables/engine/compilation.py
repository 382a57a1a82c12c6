"""Compiles steps and teachers once in a process, for all trials that differ in numbers alone.

Compilation changes how numbers are rounded, and nothing else; whether a trial is compiled follows from its
configuration and device (:func:`worth_compiling`), so on one machine its numbers do not depend on what ran
before. Shapes are static: batches smaller than the others run uncompiled.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import Tensor

from trainables.config.training import Training
from trainables.config.trial import TrialConfig
from trainables.data.dataset import DataSet
from trainables.data.mixing import MixedLabels
from trainables.engine.criterion import Criterion
from trainables.engine.device import autocast
from trainables.engine.head import HeadOutputs, MultiScaleHead
from trainables.engine.runtime import Runtime
from trainables.errors import one_line
from trainables.losses.logits import LogitLoss
from trainables.losses.registry import logit_loss_spec

T = TypeVar("T")

MIN_COMPILED_STEPS = {"cuda": 2_000, "cpu": 20_000}
"""Steps that share compiled code from which ``auto`` compiles, by device."""

_failures: set[str] = set()
"""What could not be compiled in this process, so that it is said, and tried, once."""

_durations: list[float] = []
"""Seconds of each compilation since :func:`compilation_seconds` was last asked."""


def worth_compiling(training: Training, steps: int, runtime: Runtime) -> bool:
    """Tell whether a trial of so many ``steps`` an epoch runs compiled.

    What is compiled serves all trials of its kind in the process, so ``auto`` counts the steps of as many as
    the process may expect.
    """
    if runtime.compile_mode != "auto":
        return runtime.compile_mode == "compiled"
    steps *= training.epochs * runtime.trials
    return steps >= MIN_COMPILED_STEPS.get(runtime.device.type, 20_000)


def compile_static(
    function: Callable[..., Any], device: torch.device, *, graphs: bool = False
) -> Callable[..., Any]:
    """Return ``function`` compiled for static shapes; as CUDA graphs where asked for and possible.

    Dynamo counts compiled variants by code object, and one code object serves all networks here, so its limit
    is set far above what a process keeps.
    """
    import torch._dynamo

    torch._dynamo.config.recompile_limit = 256
    options: dict[str, Any] = {"triton.cudagraphs": True} if graphs and device.type == "cuda" else {}
    compiled: Callable[..., Any] = torch.compile(function, dynamic=False, options=options)
    return compiled


def compile_frozen(
    function: Callable[[Tensor], T], images: Tensor, *, graphs: bool = False
) -> Callable[[Tensor], T]:
    """Return ``function``, a pass without gradients, compiled with its networks' weights as constants.

    Batch normalisation is then folded into the convolutions before it, and weights are laid out as the
    kernels want them, once. ``torch.compile(options={"freezing": True})`` does not do that: Dynamo reads the
    setting while it traces, before the options apply, and makes every weight an argument. So it is set around
    the first call, here on ``images``; later calls want the same shape.
    """
    import torch._inductor.config

    compiled = compile_static(function, images.device, graphs=graphs)

    def forward(batch: Tensor) -> T:
        with torch.no_grad():  # with gradients it would be compiled again, and not frozen
            outputs: T = compiled(batch)
            return outputs

    with torch._inductor.config.patch(freezing=True):
        record(lambda: forward(images), images.device)
    return forward


def record(call: Callable[[], Any], device: torch.device) -> None:
    """Repeat ``call`` until all that it compiles is compiled and captured.

    CUDA graphs run once uncaptured, are captured in the second call, and replayed in the third: a capture
    that is refused has to surface here, where :func:`try_compile` can still fall back.
    """
    for _ in range(3 if device.type == "cuda" else 1):
        if device.type == "cuda":
            torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        call()


def try_compile(what: str, make: Callable[[], T], log: Callable[[str], None]) -> T | None:
    """Return what ``make`` gives; None, logged once, where there is no compiler or compilation fails."""
    if what in _failures:
        return None
    began = time.perf_counter()
    try:
        return make()
    except Exception as error:  # a missing compiler, or a compiler's error, surfaces as many types
        _failures.add(what)
        log(f"{what} is not compiled and runs eager: {one_line(error, part='first')}")
        return None
    finally:
        _durations.append(time.perf_counter() - began)


def compilation_seconds() -> float:
    """Return the seconds that this process has compiled for since it was last asked."""
    seconds = sum(_durations)
    _durations.clear()
    return seconds


class CompiledStep:
    """Runs forward pass and loss, compiled, for all trials of one :func:`step_signature`.

    The student's weights are loaded into the same modules for each trial; weights of the loss, and options of
    a built-in base loss, are scalars on the device. Feature losses and the user's own losses run eager.
    """

    def __init__(
        self, student: MultiScaleHead, criterion: Criterion, training: Training, device: torch.device
    ) -> None:
        self.student = student
        self.training = training
        self.device = device
        term = criterion.method.logit
        self.fuses_loss = not criterion.method.features and (term is None or term.code is None)
        self._criterion = copy.copy(criterion)
        self._weights = {name: torch.zeros((), device=device) for name in criterion.weights(1)}
        self._options: dict[str, Tensor] = {}
        self._weights_of: tuple[int, int] | None = None
        if self.fuses_loss and criterion.base is not None:
            self._criterion.base = self._with_tensor_options(criterion.base)
        function = self._forward_and_loss if self.fuses_loss else self._forward
        self._run = compile_static(function, device, graphs=self.fuses_loss)

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

    def _forward_and_loss(
        self, images: Tensor, teacher: Tensor | None, target: Tensor, mixed: MixedLabels | None
    ) -> tuple[Any, ...]:
        outputs = self._forward(images)
        from_teacher = HeadOutputs(teacher, None) if teacher is not None else None
        terms = self._criterion.terms(outputs, from_teacher, target, target, self._weights, mixed)
        return terms, outputs.logits

    def _forward(self, images: Tensor) -> HeadOutputs:
        with autocast(self.training, self.device):
            outputs: HeadOutputs = self.student(images)
        return outputs

    def warm_up(self, image_size: tuple[int, int], regions: Tensor | None) -> None:
        """Compile, by a step on black images whose traces are wiped out.

        Args:
            image_size: height and width.
            regions: any of the teacher's logits [B, R, K]; None without a teacher.
        """
        before = copy.deepcopy(self.student.state_dict())
        size = self.training.batch_size
        images = torch.zeros(size, 3, *image_size, device=self.device)
        images = images.contiguous(memory_format=torch.channels_last)
        target = torch.zeros(size, dtype=torch.int64, device=self.device)
        second = target.clone(), torch.ones((), device=self.device)
        mixed = MixedLabels(*second) if self.training.mixes else None
        self.student.train()

        def step() -> None:
            if self.fuses_loss:
                terms, _ = self._run(images, regions, target, mixed)
                loss = torch.stack(list(terms.values())).sum()
            else:
                loss = self._run(images).logits.float().sum()
            loss.backward()  # type: ignore[no-untyped-call]
            self.student.zero_grad(set_to_none=True)

        record(step, self.device)
        self.student.load_state_dict(before)

    def load_student(self, student: MultiScaleHead) -> MultiScaleHead:
        """Return the modules that were compiled, with the weights of ``student``."""
        if student is not self.student:
            self.student.load_state_dict(student.state_dict())
        self._weights_of = None
        return self.student

    def __call__(
        self,
        images: Tensor,
        teacher: HeadOutputs | None,
        target: Tensor,
        index: Tensor,
        criterion: Criterion,
        epoch: int,
        mixed: MixedLabels | None = None,
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return the terms of ``criterion`` in ``epoch`` and the student's logits [B, K]."""
        if not self.fuses_loss:
            outputs = self._run(images)
            return criterion(outputs, teacher, target, index, epoch, mixed), outputs.logits
        self._load_weights(criterion, epoch)
        regions = teacher.regions.contiguous() if teacher is not None else None
        terms, logits = self._run(images, regions, target, mixed)
        return terms, logits

    def _load_weights(self, criterion: Criterion, epoch: int) -> None:
        if self._weights_of == (id(criterion), epoch):
            return
        self._weights_of = (id(criterion), epoch)
        for name, value in criterion.weights(epoch).items():
            self._weights[name].fill_(value)
        for name, scalar in self._options.items():
            assert criterion.base is not None
            scalar.fill_(float(criterion.base.options[name]))  # type: ignore[arg-type]


def compiled_step(
    config: TrialConfig, data: DataSet, student: MultiScaleHead, criterion: Criterion, runtime: Runtime
) -> CompiledStep | None:
    """Return the step of ``config``, compiled for an earlier trial or now; None where that fails."""
    device = runtime.device

    def make() -> CompiledStep:
        step = CompiledStep(student, criterion, config.training, device)
        regions = None
        if config.teacher is not None:
            shape = (config.training.batch_size, student.region_count, data.num_classes)
            regions = torch.zeros(shape, device=device)
        step.warm_up(data.image_size, regions)
        return step

    def attempt() -> CompiledStep | None:
        return try_compile(f"the step of {config.student}", make, runtime.log)

    return runtime.process_cache.get("step", step_signature(config, data, device), attempt, capacity=8)


def step_signature(config: TrialConfig, data: DataSet, device: torch.device) -> str:
    """Return all of ``config`` that is built into its step's code; the rest are numbers that it is given."""
    term, training = config.method.logit, config.training
    loss: list[Any] = []
    if term is not None:
        options = logit_loss_spec(term.base).options
        fixed = {name: value for name, value in term.options.items() if options[name].in_formula}
        loss = [term.base, term.code, fixed, term.scales, term.reduction, term.agreement, term.standardize]
        loss.append(term.pooling)
    shapes = [data.image_size, data.num_classes, training.batch_size, training.precision, str(device)]
    loss += [training.label_smoothing > 0, training.mixes]
    maps = config.method.maps if config.method.features else None
    network = [config.student, config.large_images, training.drop_path]
    return repr([*network, *shapes, config.teacher is not None, loss, maps])
