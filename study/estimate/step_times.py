"""Times a few steps of each pair on this machine, and keeps the times in the store."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path

from study.errors import one_line
from study.estimate.probe import StepTimes, heaviest, measure_pair, wanted_gpus
from study.plan.plan import Plan
from study.spec.study import Pair
from trainables.config.trial import Teacher
from trainables.storage.blobs import StorageError
from trainables.storage.files import to_json
from trainables.storage.run_store import RunStore

VERSIONS = ("torch", "torchvision", "numpy")


Measure = Callable[[Plan, Pair], StepTimes]


def measured_times(
    plan: Plan, store: RunStore, say: Callable[[str], None], measure: Measure | None = None
) -> dict[str, StepTimes]:
    """Return the times of each pair by its label, from the store where this machine has measured them before.

    Args:
        say: hears what is being timed, since that takes seconds.
        measure: times one pair; :func:`measure_pair` unless given.
    """
    found = {}
    for pair in plan.spec.each_pair:
        name = f"step_times/{_fingerprint(plan, pair)}.json"
        times = _kept(store, name)
        if times is None:
            say(f"timing {pair.label} on this machine")
            times = (measure or measure_pair)(plan, pair)
            try:
                store.storage.write(name, to_json(asdict(times)))
            except (StorageError, OSError) as error:
                say(f"the times are not kept: {one_line(error)}")
        found[pair.label] = times
    return found


def _kept(store: RunStore, name: str) -> StepTimes | None:
    try:
        return StepTimes(**json.loads(store.storage.read(name)))
    except (FileNotFoundError, ValueError, TypeError, StorageError, OSError):
        return None


def _fingerprint(plan: Plan, pair: Pair) -> str:
    """Hash what the times depend on: machine, versions, both networks and how a step of them is computed."""
    from trainables.engine.device import best_device

    config = heaviest(plan, pair, Teacher(name=str(pair.teacher), weights="0" * 64))
    made_of = {
        "machine": [platform.node(), platform.machine(), _processor(), str(best_device(wanted_gpus(plan)))],
        "versions": {name: version(name) for name in VERSIONS},
        "config": replace(config, seed=0).to_dict(),
        "resources": [plan.spec.resources.cpus_per_trial, plan.spec.resources.engine],
    }
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    return next((line.partition(":")[2].strip() for line in lines if "model name" in line), "")
