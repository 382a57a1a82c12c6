"""Compiles functions, and falls back where that fails.

Compilation changes how numbers are rounded, and nothing else; whether a trial is compiled follows from its
configuration and device (:func:`worth_compiling`), so on one machine its numbers do not depend on what ran
before.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only

from trainables.config.training import Training
from trainables.engine.runtime import Runtime
from trainables.errors import one_line

T = TypeVar("T")

MIN_COMPILED_STEPS = {"cuda": 2_000, "cpu": 20_000}
"""Steps that share compiled code from which ``auto`` compiles, by device."""

EAGER, LAUNCHED = "is not compiled and runs eager", "is launched kernel by kernel"
"""What becomes of that which cannot be compiled, or not be recorded as a CUDA graph."""

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


def compile_static(function: Callable[..., Any], *, graphs: bool = False) -> Callable[..., Any]:
    """Return ``function`` compiled for static shapes; on a GPU as CUDA graphs of its own if ``graphs``.

    What a call of graphs returns is good until the next call of any.

    Dynamo counts compiled variants by code object, and one code object serves all networks here, so its limit
    is set far above what a process keeps. The compiler gets as many processes as this one has threads: other
    trials have the other cores.
    """
    import torch._dynamo
    import torch._inductor.config

    torch._dynamo.config.recompile_limit = 256
    torch._inductor.config.compile_threads = torch.get_num_threads()
    # the compiler may think better of graphs, which it then says where nobody looks: to be refused is clearer
    options: dict[str, Any] = {"triton.cudagraphs": True, "triton.cudagraph_or_error": True} if graphs else {}
    compiled: Callable[..., Any] = torch.compile(function, dynamic=False, options=options)
    if not graphs:
        return compiled

    def begun(*given: Any) -> Any:
        torch.compiler.cudagraph_mark_step_begin()  # type: ignore[no-untyped-call]
        return compiled(*given)

    return begun


def compile_frozen(
    function: Callable[[Tensor], T], images: Tensor, *, graphs: bool = False
) -> Callable[[Tensor], T]:
    """Return ``function``, a pass without gradients, compiled with its networks' weights as constants.

    Batch normalisation is then folded into the convolutions before it, and weights are laid out as the
    kernels want them, once. ``torch.compile(options={"freezing": True})`` does not do that: Dynamo reads the
    setting while it traces, before the options apply, and makes every weight an argument. So it is set around
    the first call, here on ``images``; later calls want the same shape.

    Args:
        graphs: whether it becomes a CUDA graph of its own. That writes into the same memory each time, so
            what is returned is a copy.
    """
    import torch._inductor.config

    compiled = compile_static(function, graphs=graphs)

    @torch.no_grad()  # with gradients it would be compiled again, and not frozen
    def forward(batch: Tensor) -> T:
        outputs: T = compiled(batch)
        return tree_map_only(Tensor, torch.clone, outputs) if graphs else outputs

    with torch._inductor.config.patch(freezing=True):
        record(lambda: forward(images), images.device)
    return forward


def record(call: Callable[[], Any], device: torch.device) -> None:
    """Repeat ``call`` until all that it compiles is compiled and captured.

    CUDA graphs run once uncaptured, are captured in the second call, and replayed in the third: a capture
    that is refused has to surface here, where :func:`try_compile` can still fall back.
    """
    for _ in range(3 if device.type == "cuda" else 1):
        call()


def black(size: int, image_size: tuple[int, int], device: torch.device) -> Tensor:
    """Return ``size`` black images of (height, width), channels last, to compile on."""
    images = torch.zeros(size, 3, *image_size, device=device)
    return images.contiguous(memory_format=torch.channels_last)


def try_compile(
    what: str,
    make: Callable[[], T],
    log: Callable[[str], None],
    instead: str = EAGER,
) -> T | None:
    """Return what ``make`` gives; None, logged once, where there is no compiler or compilation fails.

    Args:
        what, instead: what is logged, followed by the reason.
    """
    failure = f"{what} {instead}"
    if failure in _failures:
        return None
    began = time.perf_counter()
    try:
        return make()
    except Exception as error:  # a missing compiler, or a compiler's error, surfaces as many types
        _failures.add(failure)
        log(f"{failure}: {one_line(error, part='first')}")
        return None
    finally:
        _durations.append(time.perf_counter() - began)


def try_compile_graphs(
    what: str, make: Callable[[bool], T], log: Callable[[str], None], *, graphs: bool
) -> T | None:
    """Return ``make(True)``, whose kernels are CUDA graphs, if ``graphs``; ``make(False)`` where that fails.

    None where both fail, as of :func:`try_compile`.
    """
    made = try_compile(what, partial(make, True), log, LAUNCHED) if graphs else None
    return try_compile(what, partial(make, False), log) if made is None else made


def compilation_seconds() -> float:
    """Return the seconds that this process has compiled for since it was last asked."""
    seconds = sum(_durations)
    _durations.clear()
    return seconds
