"""Builds a CUDA without a device, on which torch's own CUDA code runs.

It is no proof of numbers (kernels do nothing) nor of speed, and knows few of the rules of graph capture; it
shows that tensors are where they belong, and counts launches, copies, synchronisations and captures.

    with the compiler and the CUDA headers that Triton brings, in seconds:
    libfakecuda.so      CUDA's runtime, cuBLAS and cuDNN, preloaded before the real ones
    libcuda.so.1        the driver, which Triton and the doctor load by name
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
LIBRARY, DRIVER = "libfakecuda.so", "libcuda.so.1"
SOURCES = {
    LIBRARY: ("runtime.cpp", "libraries.cpp", "succeeds.cpp"),
    DRIVER: ("driver.cpp", "driver_succeeds.cpp"),
}


def missing() -> str | None:
    """Return why it cannot be built here; None where it can."""
    if shutil.which("g++") is None:
        return "no g++"
    if headers() is None:
        return "no CUDA headers (Triton brings them)"
    return None


def headers() -> Path | None:
    """Return the folder of CUDA's headers."""
    triton = importlib.util.find_spec("triton")
    if triton is None or triton.origin is None:
        return None
    folder = Path(triton.origin).parent / "backends/nvidia/include"
    return folder if (folder / "cuda_runtime_api.h").exists() else None


def build() -> Path:
    """Return the folder with the libraries, built for these sources if they are not there yet."""
    sources = sorted(path for path in HERE.iterdir() if path.suffix in (".cpp", ".h"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    folder = Path(tempfile.gettempdir()) / f"fakecuda-{os.getuid()}-{digest}"
    if folder.exists():
        return folder
    with tempfile.TemporaryDirectory() as scratch:
        for name, files in SOURCES.items():
            output = Path(scratch) / name
            command = ["g++", "-O1", "-w", "-shared", "-fPIC", f"-I{headers()}", f"-Wl,-soname,{name}"]
            subprocess.run([*command, "-o", output, *(HERE / file for file in files), "-ldl"], check=True)
        (Path(scratch) / "libcuda.so").symlink_to(DRIVER)
        partial = folder.with_suffix(f".{os.getpid()}")
        shutil.copytree(scratch, partial, symlinks=True)
        try:
            partial.rename(folder)
        except OSError:  # another process was first
            shutil.rmtree(partial)
    return folder


def environment(**settings: str) -> dict[str, str]:
    """Return the environment of a process that shall see the device.

    Settings, each as ``FAKECUDA_<NAME>``: ``name``, ``gb``, ``capability`` (90 for 9.0), ``devices``,
    ``multiprocessors``, ``driver`` (13020 for CUDA 13.2).
    """
    folder = build()
    return {
        **os.environ,
        "LD_PRELOAD": str(folder / LIBRARY),
        "LD_LIBRARY_PATH": str(folder),
        "TRITON_LIBCUDA_PATH": str(folder),
        "FAKECUDA_LIBRARY": str(folder / LIBRARY),
        **{f"FAKECUDA_{name.upper()}": value for name, value in settings.items()},
    }
