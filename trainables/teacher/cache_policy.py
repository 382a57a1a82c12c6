"""Where remembered views lie and how much room they get; the check of what is found there.

STORE/teachers/<weights>.views/<key>.cells, .marks, .json       key: hash of all that decides the outputs
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from trainables.config.trial import TrialConfig
from trainables.data import fingerprint
from trainables.data.resident import ResidentSplit
from trainables.storage.files import write_json
from trainables.teacher.cache import CHUNK, TeacherCache
from trainables.teacher.cache_files import CacheBackend, ViewFile, ViewMemory, entry_bytes

AUTO_BYTES = 64 << 30
"""Most that ``auto`` takes."""

FORMAT = 1
"""Raised with any change that changes a kept number."""


@dataclass(frozen=True, slots=True)
class CachePolicy:
    """How much room remembered views get; it decides the speed, never the numbers.

    Attributes:
        budget: bytes on disk, and as many on the device; ``auto`` for a quarter of what is free there, at
            most half of the host's memory (so that files stay in it) and 64 GiB; ``off`` for none.
        verify: share of the views on disk that a process computes again, and compares, when it opens them;
            a chunk of them it does in any case.
    """

    budget: Literal["auto", "off"] | int = "auto"
    verify: float = 0.0


def identity(
    config: TrialConfig, split: ResidentSplit, kept: tuple[int, ...], engine: str, device: torch.device
) -> dict[str, Any]:
    """All that decides a teacher's outputs, beside its weights."""
    return {
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
    """What decides how sums are rounded on ``device``."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    flags = [name for name, value in sorted(able.items()) if value is True]
    return " ".join([platform.machine(), torch.backends.cpu.get_cpu_capability(), *flags])


def places(
    folder: Path,
    about: dict[str, Any],
    shape: tuple[int, int],
    slots: int,
    room: CachePolicy,
    device: torch.device,
) -> list[CacheBackend]:
    """Where entries of ``shape`` go, the nearest first: the device if all fit, and a file in ``folder``."""
    found: list[CacheBackend] = []
    if device.type == "cuda" and slots * entry_bytes(shape) <= on_device(room, device):
        found.append(ViewMemory(slots, shape, device))
    text = json.dumps(about, sort_keys=True)
    path = folder / hashlib.sha256(text.encode()).hexdigest()[:16]
    capacity = min(slots, on_disk(room, path.with_suffix(".cells")) // entry_bytes(shape))
    if capacity:
        found.append(ViewFile(path, shape, capacity))
        write_json(path.with_suffix(".json"), about)
    return found


def on_disk(room: CachePolicy, path: Path) -> int:
    """Bytes for the file at ``path``; what it takes already counts as free."""
    if room.budget == "off":
        return 0
    if room.budget != "auto":
        return room.budget
    folder = next(parent for parent in path.parents if parent.exists())
    taken = path.stat().st_blocks * 512 if path.exists() else 0
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min((shutil.disk_usage(folder).free + taken) // 4, memory // 2, AUTO_BYTES)


def on_device(room: CachePolicy, device: torch.device) -> int:
    """Bytes of the memory of ``device``."""
    if room.budget == "off":
        return 0
    free, _ = torch.cuda.mem_get_info(device)
    return min(free // 4, AUTO_BYTES if room.budget == "auto" else room.budget)


def check(views: TeacherCache, share: float, say: Callable[[str], None]) -> None:
    """Compute some views that are kept in a file again; if they are not what they were, forget all of them.

    On a CPU they have to be equal. On a GPU, whose libraries may choose another order of sums, they have to
    be equal within the rounding of a bf16 sum: 2^-6 of the largest logit.
    """
    file = views.places[-1] if views.places else None
    if not isinstance(file, ViewFile) or not len(kept := file.marked()):
        return
    count = min(len(kept), max(CHUNK, round(share * len(kept))))
    sample = np.random.default_rng().choice(kept, count, replace=False)
    result = views.verify(sample)
    allowed = 0.0 if views.device.type == "cpu" else result.magnitude * 2**-6
    if result.largest > allowed:
        file.forget()
        say(
            f"{result.different} of {result.checked} remembered teacher outputs are not what the teacher "
            f"says now (by up to {result.largest:.3g}); all of them are made again"
        )
