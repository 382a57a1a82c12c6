"""Records work on a GPU as a CUDA graph, which the host then puts into the stream by one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from trainables.engine.compilation import LAUNCHED, try_compile
from trainables.engine.process_cache import ProcessCache
from trainables.engine.runtime import Runtime

WARM_UPS = 3
"""Runs before a recording: libraries choose kernels and take workspaces in the first ones."""


class Repeated:
    """Runs a piece of work again and again: as a CUDA graph once it is recorded, by calls until then.

    Args:
        work: reads what it needs from tensors that keep their place, and writes its results into such.

    Example:
        >>> count = torch.zeros(())
        >>> work = Repeated(lambda: count.add_(1))
        >>> for _ in range(3):
        ...     work()
        >>> count.item(), work.recorded
        (3.0, False)
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self.work = work
        self._graph: torch.cuda.CUDAGraph | None = None

    @property
    def recorded(self) -> bool:
        """Whether it runs as a CUDA graph."""
        return self._graph is not None

    def __call__(self) -> None:
        """Run the work once."""
        if self._graph is None:
            self.work()
        else:
            self._graph.replay()

    def record(self, what: str, state: Iterable[Tensor], runtime: Runtime) -> bool:
        """Record the work, and leave ``state`` as it was; return whether that succeeded.

        A refusal is logged in one line, and the work goes on being called.

        Args:
            what: the work's name in that line.
            state: the tensors that the work changes.
        """
        pool = memory_pool(runtime.process_cache)
        before = [(tensor, tensor.detach().clone()) for tensor in state]

        @torch.no_grad()
        def restore() -> None:
            for tensor, value in before:
                tensor.copy_(value)

        def make() -> torch.cuda.CUDAGraph:
            stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                for _ in range(WARM_UPS):
                    self.work()
                    restore()
            torch.cuda.current_stream().wait_stream(stream)
            graph = torch.cuda.CUDAGraph()
            # other threads of this process may allocate: a loader's, which pins memory
            with torch.cuda.graph(graph, pool=pool, capture_error_mode="thread_local"):
                self.work()
            return graph

        self._graph = try_compile(what, make, runtime.log, LAUNCHED)
        restore()
        return self.recorded


def memory_pool(cache: ProcessCache) -> Any:
    """Return the pool of memory that all of a process's graphs work in.

    They run one after the other and leave their results in tensors of others, so that they can share it: it
    is as large as the largest of them needs, however many kinds of trials there are.
    """
    return cache.get("graph pool", torch.cuda.current_device(), torch.cuda.graph_pool_handle)
