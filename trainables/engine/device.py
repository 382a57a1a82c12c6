"""The C library's allocator, told to keep what a step frees: the next step wants as much again."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trainables.config.trial import Training
import ctypes
import sys
from typing import Literal

import torch

from trainables.config.trial import Training


def best_here() -> Precision:
    """The best of this machine's devices."""
    import torch

    return best_precision(torch.device("cuda" if torch.cuda.is_available() else "cpu"))


def best_device() -> torch.device:
    """The GPU that Ray gave this process, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


MMAP_THRESHOLD, TRIM_THRESHOLD = -3, -1
"""``mallopt`` parameters of glibc's malloc.h."""


def keep_freed_memory() -> bool:
    """Let freed blocks stay with this process; whether the C library is one that can be told so.

    By default glibc hands large blocks back to the kernel when they are freed, which clears every page of the
    next one: thousands of page faults in each training step on a CPU. Numbers are not touched by this.
    """
    if sys.platform != "linux":
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is None:
        return False
    return bool(mallopt(MMAP_THRESHOLD, 2**30) and mallopt(TRIM_THRESHOLD, 2**31 - 1))


Precision = Literal["float32", "bf16"]
"""What ``auto`` may come to."""


def best_precision(device: torch.device) -> Precision:
    """bf16 where the device has matrix units for it (GPUs from Ampere on, CPUs with AMX or AVX512-BF16)."""
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16" if able.get("amx_bf16") or able.get("avx512_bf16") else "float32"


def autocast(training: Training, device: torch.device) -> torch.autocast:
    """The context forward passes run in: bf16 where the configuration says so."""
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=training.precision == "bf16")


def set_matrix_units(training: Training) -> None:
    """Let a GPU's matrix units round float32 factors to TF32 where the configuration says ``tf32`` only."""
    torch.backends.cudnn.allow_tf32 = training.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = training.precision == "tf32"
