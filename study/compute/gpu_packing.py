"""Measures how many trials share a device best.

One trial, then 2, 4, 8 at once train for some seconds on one device, each in a process of its own, set up as
one of the study's. As long as their images per second in all rise by a tenth and memory is left, twice as
many are tried. All of them run in one bundle of a placement group, which lies on one node and holds one
device: free actors would spread over the nodes of a cluster, and their rates would be added up as if they had
shared a device.

That trials do not fit is one thing, that a measurement was cut short another: a node that was taken away says
nothing about the device.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayActorError, RayError, RayTaskError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from study.compute.nodes import Nodes
from study.errors import one_line
from trainables.config.trial import TrialConfig
from trainables.data.raw import RawData
from trainables.teacher.device_share import left_free
from trainables.training.process import ProcessSettings

COUNTS = (1, 2, 4, 8)
"""Trials at once on one device that are measured."""
MIN_SPEEDUP = 1.1
"""Factor by which twice as many trials have to be faster in all."""
MIN_FREE_MEMORY = 0.1
"""Share of the device's memory that has to be left: trials of other networks may take more."""
WARM_UP_S, MEASURED_S = 5.0, 10.0
NODE_WAIT_S = 900.0
"""Seconds for a node with room to join: a cluster at zero starts its first one for this."""
NO_MEMORY = re.compile(r"out of memory|\b(OutOf)?MemoryError\b|ALLOC_FAILED|can't allocate memory", re.I)
"""What CUDA, its libraries, torch and Python say where memory does not suffice."""


class MeasurementCutShort(Exception):
    """Says what ended a measurement that was not a want of memory: nothing is known by it."""


@dataclass(frozen=True, slots=True)
class PackedTrial:
    """Says what is trained to measure: a trial, and what each process of the study's trials is given.

    Attributes:
        process: with ``gpus`` the part of a device that is one trial's.
    """

    config: TrialConfig
    store: str
    raw: RawData
    process: ProcessSettings


@dataclass(frozen=True, slots=True)
class PackingMeasurement:
    """Carries what so many trials at once on one device reach.

    >>> rates = {1: 100.0, 2: 180.0, 4: 190.0}
    >>> found = find_best_packing(lambda trials: PackingMeasurement(trials, rates[trials], free=0.5))
    >>> summary(found)
    'trials on one device: 2 (1 at 100 images/s, 2 at 180 images/s)'

    Attributes:
        images_per_s: of all of them together.
        free: share of the device's memory that is left once all teacher outputs are remembered there.
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
    for trials in COUNTS:
        packed = measure(trials)
        if packed is None or (found and not is_worthwhile(found[-1], packed)):
            break
        found.append(packed)
    return found


def measure_until_cut_short(measure: Measure) -> tuple[list[PackingMeasurement], str | None]:
    """Return what :func:`find_best_packing` does, and what cut it short, if anything did.

    >>> def lost(trials: int) -> PackingMeasurement:
    ...     if trials == 2:
    ...         raise MeasurementCutShort("its node was lost")
    ...     return PackingMeasurement(trials, images_per_s=100.0, free=0.5)
    >>> found, cut_short = measure_until_cut_short(lost)
    >>> [measured.trials for measured in found], cut_short
    ([1], '2 at once: its node was lost')
    """
    cut_short: list[str] = []

    def attempt(trials: int) -> PackingMeasurement | None:
        try:
            return measure(trials)
        except MeasurementCutShort as reason:
            cut_short.append(f"{trials} at once: {reason}")
            return None

    return find_best_packing(attempt), next(iter(cut_short), None)


def is_worthwhile(fewer: PackingMeasurement, more: PackingMeasurement) -> bool:
    """Tell whether ``more`` trials at once are worth it: faster by a tenth in all, with memory left."""
    return more.images_per_s >= MIN_SPEEDUP * fewer.images_per_s and more.free >= MIN_FREE_MEMORY


def summary(found: Sequence[PackingMeasurement]) -> str:
    """Return what was measured, in one line."""
    each = ", ".join(f"{item.trials} at {item.images_per_s:.0f} images/s" for item in found)
    return f"trials on one device: {found[-1].trials} ({each})"


def measure_packing(trials: int, packed: PackedTrial, nodes: Nodes) -> PackingMeasurement | None:
    """Train ``trials`` trials at once on one device; None where they do not fit.

    Args:
        nodes: what the cluster has or may grow to.

    Raises:
        MeasurementCutShort: no node with room came, a process was lost, or the trial has a fault of its own.
    """
    from trainables.training.throughput import Throughput, ThroughputProbe

    cpus, gpus = packed.process.cpus, packed.process.gpus
    if nodes.trials(trials * cpus, trials * gpus) < 1:
        return None
    bundle = {"CPU": trials * cpus, **({"GPU": trials * gpus} if gpus else {})}
    group = placement_group([bundle])
    kind: Any = ray.remote(ThroughputProbe).options(
        num_cpus=cpus,
        num_gpus=gpus,
        scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=0),
    )
    probes: list[Any] = []
    try:
        if not group.wait(NODE_WAIT_S):
            raise MeasurementCutShort(f"no device became free in {NODE_WAIT_S / 60:.0f} minutes")
        probes = [kind.remote(packed) for _ in range(trials)]
        rates: list[Throughput] = []
        for seconds in (WARM_UP_S, MEASURED_S):
            rates, faults = _gathered([probe.train.remote(seconds) for probe in probes])
            if any(map(is_for_memory, faults)):  # the others may have been lost with it
                return None
            if faults:
                raise MeasurementCutShort(fault_line(faults[0])) from faults[0]
    finally:
        for probe in probes:
            ray.kill(probe)
        remove_placement_group(group)
    free = min(rate.free for rate in rates)
    left = left_free(free, trials, max(rate.wanted for rate in rates))
    return PackingMeasurement(trials, sum(rate.images_per_s for rate in rates), left)


def _gathered(answers: Sequence[Any]) -> tuple[list[Any], list[RayError]]:
    """Return the values that ``answers`` come to, and the errors of those that come to none."""
    values, faults = [], []
    for answer in answers:
        try:
            values.append(ray.get(answer))
        except RayError as error:
            faults.append(error)
    return values, faults


def is_for_memory(error: RayError) -> bool:
    """Tell whether a probe ended for want of memory, its device's or its node's.

    What its code raised is known by its text: of an error in a constructor nothing else is left. The loss of
    a process is not read: Ray names the OOM killer among the possible causes of any.
    """
    said = _is_raised(error) and NO_MEMORY.search(str(error)) is not None
    return said or isinstance(error, OutOfMemoryError)


def fault_line(error: RayError) -> str:
    """Say in one line what ended a probe: what its code raised, or what Ray says of its loss."""
    if isinstance(error, RayTaskError) and isinstance(error.cause, BaseException):
        return one_line(error.cause, part="first", kind=True)
    return one_line(error, part="last" if _is_raised(error) else "first")


def _is_raised(error: RayError) -> bool:
    """Tell whether a probe's code raised the error, in a method or its constructor; its text ends with it."""
    return isinstance(error, RayTaskError) or (isinstance(error, RayActorError) and error.actor_init_failed)
