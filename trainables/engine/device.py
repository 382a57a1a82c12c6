"""Chooses the device a process computes on, and the precision that is best there.

It is chosen here alone: trials, imported teachers, served students and benchmarks all ask here. Importing
this file does not import torch, so that a launch can ask for a name of a precision before torch is there.
"""

from __future__ import annotations

import platform
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from trainables.config.serialization import ConfigError

if TYPE_CHECKING:
    import torch

    from trainables.config.training import Training

Precision = Literal["float32", "bf16"]
"""What the precision ``auto`` may come to."""


MATRIX_UNITS_SINCE = (8, 0)
"""Compute capability from which a GPU multiplies bf16 and TF32: Ampere's."""


def best_device(gpus: float | str | None = None) -> torch.device:
    """Return the first GPU this process may use, or the CPU.

    Args:
        gpus: what was asked for; 0 gives the CPU, whatever GPUs are visible.
    """
    import torch

    return torch.device("cuda" if gpus != 0 and torch.cuda.is_available() else "cpu")


def best_precision(device: torch.device | None = None) -> Precision:
    """Return bf16 where ``device`` has matrix units for it, else float32.

    GPUs have them from Ampere on, CPUs with AMX or AVX512-BF16.

    Args:
        device: the one asked about; :func:`best_device` if None.
    """
    import torch

    device = device or best_device()
    if device.type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float32"
    able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return "bf16" if able.get("amx_bf16") or able.get("avx512_bf16") else "float32"


def hardware(device: torch.device) -> str:
    """Return what decides how sums are rounded on ``device``, and which code runs there."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    able = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    flags = [name for name, value in sorted(able.items()) if value is True]
    return " ".join([platform.machine(), torch.backends.cpu.get_cpu_capability(), *flags])


def check_device(training: Training, device: torch.device) -> None:
    """Refuse a GPU that torch has no code for, and a precision that a GPU has no matrix units for.

    torch emulates bf16 on older GPUs, a kernel for each rounding, and its compiler skips every frame: a step
    would be slower than in float32 by far, without a word.

    Raises:
        ConfigError: with what to do about it.
    """
    import torch

    if device.type != "cuda":
        return
    major, minor = torch.cuda.get_device_capability(device)
    name = f"{torch.cuda.get_device_name(device)} (compute capability {major}.{minor})"
    oldest = oldest_built(torch.cuda.get_arch_list())
    if oldest is not None and (major, minor) < oldest:
        raise ConfigError(
            f"resources.gpus_per_trial: torch {torch.__version__} has no code for {name}, its oldest is "
            f"{oldest[0]}.{oldest[1]}; install a torch built for it, or set resources.gpus_per_trial=0"
        )
    if training.precision != "float32" and (major, minor) < MATRIX_UNITS_SINCE:
        raise ConfigError(
            f"training.precision: {name} has no matrix units for {training.precision}, GPUs have them "
            "from 8.0 on; set training.precision='float32', which is what 'auto' gives there"
        )


def oldest_built(architectures: Iterable[str]) -> tuple[int, int] | None:
    """Return the lowest compute capability that a torch built for ``architectures`` has code for.

    ``sm_90`` is machine code, ``compute_90`` is code that a driver translates for that capability and higher
    ones; a letter after the number (``sm_90a``, ``sm_100f``) names instructions of that generation alone.
    None where nothing is listed that is CUDA's: nothing is known then.

    >>> oldest_built(["sm_75", "sm_90a", "compute_120"])
    (7, 5)
    """
    found = (re.fullmatch(r"(?:sm|compute)_(\d+)(\d)[a-z]*", name) for name in architectures)
    return min(((int(match[1]), int(match[2])) for match in found if match), default=None)


def autocast(training: Training, device: torch.device) -> torch.autocast:
    """Return the context that forward passes run in: bf16 where the configuration says so."""
    import torch

    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=training.precision == "bf16")


def set_matrix_units(training: Training) -> None:
    """Let a GPU's matrix units round float32 factors to TF32 where the configuration says ``tf32`` only."""
    import torch

    torch.backends.cudnn.allow_tf32 = training.precision == "tf32"
    torch.backends.cuda.matmul.allow_tf32 = training.precision == "tf32"
