"""The precisions networks compute in; losses are float32 in each."""

from __future__ import annotations

from typing import Literal

import torch

from trainables.config import Training

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
