"""Keeps how many trials share a device best, for later launches that would measure the same."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from study.compute.gpu_packing import PackedTrial, PackingMeasurement
from study.compute.nodes import Nodes
from trainables.storage.files import to_json
from trainables.storage.run_store import RunStore
from trainables.training.process import is_compiled


def fingerprint(packed: Iterable[PackedTrial], nodes: Nodes) -> str:
    """Return a hash of all that the result depends on.

    How many trials a process may expect is no part of it, which another budget or another number of nodes
    changes; what that decides is: whether steps are compiled.

    Args:
        packed: what is trained, for each number of trials at once.
        nodes: those of the cluster, whose kinds of GPUs count.
    """
    kinds = sorted({name for kind, _ in nodes.kinds for name in kind if name.startswith("accelerator")})
    parts: list[Any] = []
    for trial in packed:
        process = asdict(trial.process)
        del process["trials"]
        process["compiled"] = is_compiled(trial.config, trial.raw, trial.process)
        parts.append([trial.config.to_dict(), process])
    parts.append(kinds)
    if os.environ.get("SDD_MPS") == "1":  # trials compute at once, not by turns (cluster/mps.sh)
        parts.append("mps")
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


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
