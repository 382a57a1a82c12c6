"""Measures how many trials share a device best.

One trial, then 2, 4, 8 at once train for some seconds on one device, each in a process of its own. As long as
their images per second in all rise by a tenth and memory is left, twice as many are tried. All of them run in
one bundle of a placement group, which lies on one node and holds one device: free actors would spread over
the nodes of a cluster, and their rates would be added up as if they had shared a device.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import ray
from ray.exceptions import RayError
from ray.util.placement_group import placement_group, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from study.compute.nodes import Nodes
from trainables.config.trial import TrialConfig
from trainables.data.raw import RawData
from trainables.engine.runtime import CachePolicy, CompileMode
from trainables.storage.files import to_json
from trainables.storage.run_store import RunStore

MAX_TRIALS = 8
"""Trials on one device at the most."""
MIN_SPEEDUP = 1.1
"""Factor by which twice as many trials have to be faster in all."""
MIN_FREE_MEMORY = 0.1
"""Share of the device's memory that has to be left: trials of other networks may take more."""
WARM_UP_S, MEASURED_S = 5.0, 10.0
NODE_WAIT_S = 900.0
"""Seconds for a node with room to join: a cluster at zero starts its first one for this."""


@dataclass(frozen=True, slots=True)
class PackedTrial:
    """Says what is trained to measure: a trial, and what each trial of the study is given.

    Attributes:
        gpus: devices that the trials share: 1, or 0 on cores.
        cpus: cores of each trial.
    """

    config: TrialConfig
    store: str
    raw: RawData
    gpus: int
    cpus: int
    compile_mode: CompileMode
    cache_policy: CachePolicy

    def fingerprint(self, nodes: Nodes) -> str:
        """Return a hash of all that the result depends on; the kinds of GPUs are those of ``nodes``."""
        kinds = sorted({name for kind, _ in nodes.kinds for name in kind if name.startswith("accelerator")})
        parts: list[Any] = [
            self.config.to_dict(),
            self.cpus,
            self.compile_mode,
            asdict(self.cache_policy),
            kinds,
        ]
        if os.environ.get("SDD_MPS") == "1":  # trials compute at once, not by turns (cluster/mps.sh)
            parts.append("mps")
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class PackingMeasurement:
    """Carries what so many trials at once on one device reach.

    >>> rates = {1: 100.0, 2: 180.0, 4: 190.0}
    >>> found = find_best_packing(lambda trials: PackingMeasurement(trials, rates[trials], free=0.5))
    >>> summary(found)
    'trials on one device: 2 (1 at 100 images/s, 2 at 180 images/s)'

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
    """Tell whether ``more`` trials at once are worth it: faster by a tenth in all, with memory left."""
    return more.images_per_s >= MIN_SPEEDUP * fewer.images_per_s and more.free >= MIN_FREE_MEMORY


def summary(found: Sequence[PackingMeasurement]) -> str:
    """Return what was measured, in one line."""
    each = ", ".join(f"{item.trials} at {item.images_per_s:.0f} images/s" for item in found)
    return f"trials on one device: {found[-1].trials} ({each})"


def measure_packing(trials: int, packed: PackedTrial, nodes: Nodes) -> PackingMeasurement | None:
    """Train ``trials`` trials at once on one device; None where they do not fit, or no node comes.

    Args:
        nodes: what the cluster has or may grow to.
    """
    from trainables.training.throughput import Throughput, ThroughputProbe

    if nodes.trials(trials * packed.cpus, packed.gpus) < 1:
        return None
    bundle = {"CPU": trials * packed.cpus, **({"GPU": packed.gpus} if packed.gpus else {})}
    group = placement_group([bundle])
    kind: Any = ray.remote(ThroughputProbe).options(
        num_cpus=packed.cpus,
        num_gpus=packed.gpus / trials,
        scheduling_strategy=PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=0),
    )
    probes: list[Any] = []
    try:
        if not group.wait(NODE_WAIT_S):
            return None
        probes = [kind.remote(packed) for _ in range(trials)]
        ray.get([probe.train.remote(WARM_UP_S) for probe in probes])
        rates: list[Throughput] = ray.get([probe.train.remote(MEASURED_S) for probe in probes])
    except RayError:  # out of memory, most likely; a fault of the trial itself shows when it is run
        return None
    finally:
        for probe in probes:
            ray.kill(probe)
        remove_placement_group(group)
    return PackingMeasurement(
        trials, sum(rate.images_per_s for rate in rates), min(rate.free for rate in rates)
    )


def load_packing(store: RunStore, study: str, fingerprint: str) -> list[PackingMeasurement]:
    """Return what an earlier launch of ``study`` measured for the same trial; empty where there is none."""
    try:
        kept = json.loads(store.storage.read(_name(study)))
        if kept["fingerprint"] != fingerprint:
            return []
        return [PackingMeasurement(**found) for found in kept["found"]]
    except (FileNotFoundError, ValueError, TypeError, KeyError):
        return []


def save_packing(store: RunStore, study: str, fingerprint: str, found: Sequence[PackingMeasurement]) -> None:
    """Let later launches of ``study`` find what was measured."""
    kept = {"fingerprint": fingerprint, "found": [asdict(measured) for measured in found]}
    store.storage.write(_name(study), to_json(kept))


def _name(study: str) -> str:
    return f"studies/{study}/packing.json"
