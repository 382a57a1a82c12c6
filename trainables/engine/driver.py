"""Says why torch finds no GPU where one was promised: the driver that it needs, and the one that is there."""

from __future__ import annotations

import ctypes

import torch

DRIVERS = {13: "580", 12: "525"}
"""Oldest Linux driver for each major version of CUDA, by its release notes (minor version compatibility)."""


def installed_driver() -> int | None:
    """Return the newest CUDA that this machine's driver can run, 12040 for 12.4; None without a driver."""
    try:
        library = ctypes.CDLL("libcuda.so.1")
    except OSError:
        return None
    version = ctypes.c_int(0)
    return version.value if library.cuDriverGetVersion(ctypes.byref(version)) == 0 else None


def driver_problem() -> str:
    """Return, in one line, what this torch needs of a driver and what it finds.

    Example:
        >>> driver_problem() != ""
        True
    """
    built_for = torch.version.cuda
    if built_for is None:
        return f"torch {torch.__version__} is built without CUDA; install a build with it"
    major = int(built_for.split(".")[0])
    oldest = f" ({DRIVERS[major]} or newer)" if major in DRIVERS else ""
    needs = f"torch {torch.__version__} needs a driver for CUDA {built_for}{oldest}"
    found = installed_driver()
    if found is None:
        return f"{needs}, and no driver is there (libcuda.so.1)"
    there = f"the driver there is for CUDA {found // 1000}.{found % 1000 // 10}"
    if found // 1000 < major:
        return f"{needs}, and {there}; update it, or install a torch built for it"
    return f"{needs}, and {there}; see nvidia-smi and CUDA_VISIBLE_DEVICES"
