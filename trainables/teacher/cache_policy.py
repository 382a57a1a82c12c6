"""Decides where cached views lie and how much room they get; checks what is found there.

STORE/teachers/<weights>.views/<key>.rows, .cells, .marks, .json     key: hash of all that decides the outputs
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainables.config.trial import TrialConfig
from trainables.data import fingerprint
from trainables.engine.device import hardware
from trainables.engine.runtime import CachePolicy, Runtime
from trainables.storage.files import read_json, write_json
from trainables.teacher.cache import CHUNK, TeacherCache
from trainables.teacher.cache_files import SUFFIXES, CacheBackend, ViewFile, entry_bytes
from trainables.teacher.cache_memory import ViewMemory
from trainables.teacher.device_share import DeviceShare
from trainables.teacher.read_ahead import ReadAhead
from trainables.teacher.view_slots import ViewSlots

MAX_AUTO_BYTES = 64 << 30
"""Most that the budget ``auto`` takes."""

FORMAT = 3  # 2: compiled teachers are frozen; 3: entries lie in the order of their use
"""Raised with any change that changes a kept number, or where it lies."""


def identity(
    config: TrialConfig, views: ViewSlots, kept: tuple[int, ...], engine: str, device: torch.device
) -> dict[str, Any]:
    """Return all that decides a teacher's outputs, beside its weights."""
    form = {} if config.large_images == "pooled" else {"large_images": config.large_images}
    return {
        **form,
        "format": FORMAT,
        "data": config.data.fingerprint or fingerprint(config.data),
        "shown": views.shown,
        "scales": kept,
        "precision": config.training.precision,
        "chunk": CHUNK,
        "engine": engine,
        "torch": torch.__version__,
        "hardware": hardware(device),
    }


def open_backends(
    folder: Path, about: dict[str, Any], shape: tuple[int, int], slots: int, runtime: Runtime, *, again: bool
) -> list[CacheBackend]:
    """Open where entries of ``shape`` go, the nearest first: the device's memory, a file in ``folder``.

    Args:
        again: whether a trial meets a slot more than once, so that the device's memory is of use.
    """
    found: list[CacheBackend] = []
    policy, device = runtime.cache_policy, runtime.device
    if again and device.type == "cuda" and policy.budget != "off":
        found.append(ViewMemory(slots, shape, device, device_share(runtime)))
    drop_outdated(folder, runtime.log)
    text = json.dumps(about, sort_keys=True)
    path = folder / hashlib.sha256(text.encode()).hexdigest()[:16]
    capacity = min(slots, disk_budget(policy, path.with_suffix(".cells")) // entry_bytes(shape))
    if capacity and device.type == "cuda":
        found.append(ReadAhead(path, shape, slots, capacity, pinned=True))
    elif capacity:
        found.append(ViewFile(path, shape, slots, capacity))
    if capacity:
        write_json(path.with_suffix(".json"), about)
    return found


def drop_outdated(folder: Path, log: Callable[[str], None]) -> None:
    """Delete the files of earlier formats, which nobody reads any more; a later one's are left alone."""
    freed = 0
    for note in sorted(folder.glob("*.json")):
        about = read_json(note)
        if (
            not isinstance(about, dict)
            or not isinstance(about.get("format"), int)
            or about["format"] >= FORMAT
        ):
            continue
        for path in (*(note.with_suffix(suffix) for suffix in SUFFIXES), note):
            if path.exists():
                freed += path.stat().st_blocks * 512
                path.unlink(missing_ok=True)
    if freed:
        log(f"deleted {freed / 2**20:.0f} MiB of teacher outputs remembered by an earlier version")


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


def device_share(runtime: Runtime) -> DeviceShare:
    """Return what this process may take of its device's memory, for all outputs that it remembers there."""
    budget, device = runtime.cache_policy.budget, runtime.device
    limit = budget if isinstance(budget, int) else MAX_AUTO_BYTES

    def make() -> DeviceShare:
        return DeviceShare(limit, free=lambda: torch.cuda.mem_get_info(device)[0])

    return runtime.process_cache.get("device share", (str(device), limit), make, capacity=4)


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
