"""Names what a trial is given, in two parts: what decides its numbers, and how and where it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal

import torch

from trainables.config.trial import TrialConfig
from trainables.data.dataset import DataSet
from trainables.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from trainables.engine.process_cache import ProcessCache
from trainables.storage.run_store import RunStore

CompileMode = Literal["auto", "eager", "compiled"]
"""``auto``: compiled where a trial is long enough to win back the time that compilation takes."""


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """Says how much room cached teacher outputs get; it decides the speed, never the numbers.

    Attributes:
        budget: bytes of each file, and at most as many of the device's memory for all outputs there, within a
            quarter of what is free there; ``auto`` for a quarter of what is free in either place, at most
            64 GiB, of files at most half of the host's memory too, so that they stay in it; ``off`` for none.
        verify: share of the views on disk that a process computes again, and compares, when it opens them;
            a chunk of them it does in any case.

    Example:
        >>> CachePolicy(budget=10 * 2**30)  # 10 GiB
        CachePolicy(budget=10737418240, verify=0.0)
    """

    budget: Literal["auto", "off"] | int = "auto"
    verify: float = 0.0


@dataclass(frozen=True, slots=True)
class Runtime:
    """Carries how a process runs its trials, none of which is part of a trial's key.

    Attributes:
        device: where networks and data are.
        compile_mode: whether steps are compiled; decides how numbers are rounded. ``eager`` also launches a
            GPU's kernels one by one.
        cache_policy: room for the teacher's cached outputs.
        process_cache: what this process keeps from trial to trial.
        group: the processes that train a trial together.
        trials: how many trials this process may expect that share compiled code.
        log: takes a line for the user, about a damaged checkpoint and the like.

    Example:
        >>> runtime = Runtime(torch.device("cpu"), compile_mode="eager")
        >>> runtime.group.is_leader
        True
    """

    device: torch.device
    _: KW_ONLY
    compile_mode: CompileMode = "auto"
    cache_policy: CachePolicy = field(default_factory=CachePolicy)
    process_cache: ProcessCache = field(default_factory=ProcessCache)
    group: ProcessGroup = SINGLE_PROCESS
    trials: int = 1
    log: Callable[[str], None] = print

    @property
    def records(self) -> bool:
        """Whether whole batches become CUDA graphs: on a GPU, by one process, unless all is eager."""
        return self.device.type == "cuda" and self.group.size == 1 and self.compile_mode != "eager"


@dataclass(frozen=True, slots=True)
class TrialInputs:
    """Carries what decides a trial's numbers: its configuration, the run store with its teacher, its data."""

    config: TrialConfig
    store: RunStore
    data: DataSet
