"""Decides where cached views lie and how much room they get; checks what is found there.

STORE/teachers/<weights>.views/<key>.cells, .marks, .json       key: hash of all that decides the outputs
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainables.config.trial import TrialConfig
from trainables.data import fingerprint
from trainables.data.resident import ResidentSplit
from trainables.engine.runtime import CachePolicy, Runtime
from trainables.storage.files import write_json
from trainables.teacher.cache import CHUNK, TeacherCache
from trainables.teacher.cache_files import CacheBackend, ViewFile, ViewMemory, entry_bytes

MAX_AUTO_BYTES = 64 << 30
"""Most that the budget ``auto`` takes."""

FORMAT = 2  # 2: compiled teachers are frozen
"""Raised with any change that changes a kept number."""


def identity(
    config: TrialConfig, split: ResidentSplit, kept: tuple[int, ...], engine: str, device: torch.device
) -> dict[str, Any]:
    """Return all that decides a teacher's outputs, beside its weights."""
    form = {} if config.large_images == "pooled" else {"large_images": config.large_images}
    return {
        **form,
        "format": FORMAT,
        "data": config.data.fingerprint or fingerprint(config.data),
        "shown": split.shown,
        "scales": kept,
        "precision": config.training.precision,
        "chunk": CHUNK,
        "engine": engine,
        "torch": torch.__version__,
        "hardware": hardware(device),
    }


def hardware(device: torch.device) -> str:
    """Return what decides how sums are rounded on ``device``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    flags = [name for name, value in sorted(able.items()) if value is True]
    return " ".join([platform.machine(), torch.backends.cpu.get_cpu_capability(), *flags])


def open_backends(
    folder: Path, about: dict[str, Any], shape: tuple[int, int], slots: int, runtime: Runtime
) -> list[CacheBackend]:
    """Open where entries of ``shape`` go, the nearest first: the device if all fit, a file in ``folder``."""
    found: list[CacheBackend] = []
    policy, device = runtime.cache_policy, runtime.device
    if device.type == "cuda" and slots * entry_bytes(shape) <= device_budget(policy, device):
        found.append(ViewMemory(slots, shape, device))
    text = json.dumps(about, sort_keys=True)
    path = folder / hashlib.sha256(text.encode()).hexdigest()[:16]
    capacity = min(slots, disk_budget(policy, path.with_suffix(".cells")) // entry_bytes(shape))
    if capacity:
        found.append(ViewFile(path, shape, capacity))
        write_json(path.with_suffix(".json"), about)
    return found


def disk_budget(policy: CachePolicy, path: Path) -> int:
    """Return the bytes allowed for the file at ``path``; what it takes already counts as free."""
    if policy.budget == "off":
        return 0
    if policy.budget != "auto":
        return policy.budget
    folder = next(parent for parent in path.parents if parent.exists())
    taken = path.stat().st_blocks * 512 if path.exists() else 0
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min((shutil.disk_usage(folder).free + taken) // 4, memory // 2, MAX_AUTO_BYTES)


def device_budget(policy: CachePolicy, device: torch.device) -> int:
    """Return the bytes allowed in the memory of ``device``."""
    if policy.budget == "off":
        return 0
    free, _ = torch.cuda.mem_get_info(device)
    return min(free // 4, MAX_AUTO_BYTES if policy.budget == "auto" else policy.budget)


def check_sample(views: TeacherCache, share: float, log: Callable[[str], None]) -> None:
    """Compute some views that are kept in a file again; if they are not what they were, forget all of them.

    On a CPU they have to be equal. On a GPU, whose libraries may choose another order of sums, they have to
    be equal within the rounding of a bf16 sum: 2^-6 of the largest logit.
    """
    file = views.backends[-1] if views.backends else None
    if not isinstance(file, ViewFile) or not len(kept := file.marked()):
        return
    count = min(len(kept), max(CHUNK, round(share * len(kept))))
    sample = np.random.default_rng().choice(kept, count, replace=False)
    result = views.verify(sample)
    allowed = 0.0 if views.device.type == "cpu" else result.magnitude * 2**-6
    if result.largest > allowed:
        file.forget()
        log(
            f"{result.different} of {result.checked} remembered teacher outputs are not what the teacher "
            f"says now (by up to {result.largest:.3g}); all of them are made again"
        )
