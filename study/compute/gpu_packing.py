"""Measures how many trials share a device best.

One trial, then 2, 4, 8 at once train for some seconds on one device, each in a process of its own. As long as
their images per second in all rise by a tenth and memory is left, twice as many are tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import RayError

from trainables.config.trial import TrialConfig
from trainables.data.raw import RawData
from trainables.engine.runtime import CompileMode

MAX_TRIALS = 8
"""Trials on one device at the most."""
MIN_SPEEDUP = 1.1
"""Twice as many trials have to be so many times faster in all."""
MIN_FREE_MEMORY = 0.1
"""Share of the device's memory that has to be left: trials of other networks may take more."""
WARM_UP_S, MEASURED_S = 5.0, 10.0


@dataclass(frozen=True, slots=True)
class PackingMeasurement:
    """Carries what so many trials at once on one device reach.

    Attributes:
        images_per_s: of all of them together.
        free: share of the device's memory that was left.
    """

    trials: int
    images_per_s: float
    free: float


Measure = Callable[[int], PackingMeasurement | None]
"""Measures so many trials at once; None where they do not fit."""


def find_best_packing(measure: Measure) -> list[PackingMeasurement]:
    """Return what was measured, 1 trial first; the last one is the number to use.

    Empty where not even one fits.
    """
    found: list[PackingMeasurement] = []
    trials = 1
    while trials <= MAX_TRIALS:
        packed = measure(trials)
        if packed is None or (found and not is_worthwhile(found[-1], packed)):
            break
        found.append(packed)
        trials *= 2
    return found


def is_worthwhile(fewer: PackingMeasurement, more: PackingMeasurement) -> bool:
    """Return whether ``more`` trials at once are worth it."""
    return more.images_per_s >= MIN_SPEEDUP * fewer.images_per_s and more.free >= MIN_FREE_MEMORY


def summary(found: Sequence[PackingMeasurement]) -> str:
    """Return what was measured, in one line."""
    each = ", ".join(f"{item.trials} at {item.images_per_s:.0f} images/s" for item in found)
    return f"trials on one device: {found[-1].trials} ({each})"


def measure_packing(
    trials: int,
    gpus: float,
    config: TrialConfig,
    store: str,
    raw: RawData,
    cpus: int,
    compile_mode: CompileMode,
) -> PackingMeasurement | None:
    """Train ``trials`` trials like ``config`` at once, each on ``cpus`` cores and ``gpus`` of a GPU."""
    from trainables.training.throughput import Throughput, ThroughputProbe

    if ray.cluster_resources().get("CPU", 0) < trials * cpus:  # type: ignore[no-untyped-call]
        return None
    kind: Any = ray.remote(num_cpus=cpus, num_gpus=gpus)(ThroughputProbe)
    probes = [kind.remote(config.to_dict(), store, raw, cpus, compile_mode) for _ in range(trials)]
    try:
        ray.get([probe.train.remote(WARM_UP_S) for probe in probes])
        rates: list[Throughput] = ray.get([probe.train.remote(MEASURED_S) for probe in probes])
    except RayError:  # out of memory, most likely; a fault of the trial itself shows when it is run
        return None
    finally:
        for probe in probes:
            ray.kill(probe)
    return PackingMeasurement(
        trials, sum(rate.images_per_s for rate in rates), min(rate.free for rate in rates)
    )
