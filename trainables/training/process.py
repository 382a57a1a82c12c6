"""Sets up a process that trains: one of a study's trials, and one that measures how fast they are.

Both are set up here, so that what is measured is built as what is run.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from trainables.config.trial import TrialConfig
from trainables.data.epoch_plan import steps
from trainables.data.partition import split
from trainables.data.raw import RawData
from trainables.distributed.process_group import SINGLE_PROCESS, ProcessGroup
from trainables.engine.compilation import worth_compiling
from trainables.engine.device import best_device
from trainables.engine.driver import driver_problem
from trainables.engine.process_cache import ProcessCache
from trainables.engine.runtime import CachePolicy, CompileMode, Runtime
from trainables.errors import TrialError
from trainables.losses.user_losses import run_sources


class MissingDevice(TrialError):
    """Says that the trial was given a GPU that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessSettings:
    """Carries what a study gives each process of its trials; none of it decides a number, but for rounding.

    Attributes:
        user_code: source files that register losses of the user's own.
        cpus, gpus: of the process; it computes with ``cpus`` threads.
        cache_policy: room for the teacher's cached outputs.
        compile_mode: whether steps are compiled.
        trials: how many trials the process may expect that share compiled code.

    Example:
        >>> ProcessSettings(gpus=0, trials=12).runtime().trials
        12
    """

    user_code: tuple[str, ...] = ()
    cpus: int = 1
    gpus: float = 0.0
    cache_policy: CachePolicy = field(default_factory=CachePolicy)
    compile_mode: CompileMode = "auto"
    trials: int = 1

    def runtime(
        self,
        device: torch.device | None = None,
        *,
        process_cache: ProcessCache | None = None,
        group: ProcessGroup = SINGLE_PROCESS,
        log: Callable[[str], None] = print,
    ) -> Runtime:
        """Set this process up, and return how it runs trials.

        Args:
            device: where it computes; the first GPU, or the CPU for 0 GPUs, if None.
            process_cache: what it keeps from trial to trial; a new one if None.

        Raises:
            MissingDevice: a GPU was promised and torch finds none.
        """
        run_sources(self.user_code)
        torch.set_num_threads(self.cpus)
        if self.gpus and not torch.cuda.is_available():
            raise MissingDevice(f"{platform.node()} promises a GPU and torch finds none: {driver_problem()}")
        return Runtime(
            best_device(self.gpus) if device is None else device,
            compile_mode=self.compile_mode,
            cache_policy=self.cache_policy,
            process_cache=ProcessCache() if process_cache is None else process_cache,
            group=group,
            trials=self.trials,
            log=log,
        )


def is_compiled(config: TrialConfig, raw: RawData, process: ProcessSettings) -> bool:
    """Tell whether a process that is set up so compiles the steps of a trial, on a GPU if it is given any.

    What needs to know it before there is a device asks here: nothing is put on one, nothing is built.
    """
    parts = split(raw, config.data)
    images = len(parts.train) + (len(parts.validation) if config.fit == "all" else 0)
    device = torch.device("cuda" if process.gpus else "cpu")
    runtime = Runtime(device, compile_mode=process.compile_mode, trials=process.trials)
    return worth_compiling(config.training, steps(images, config.training.batch_size), runtime)
