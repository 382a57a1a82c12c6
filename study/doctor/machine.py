"""Checks this machine: packages, processor and GPU, a compiler, shared memory."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from study.doctor.findings import DoctorContext, Finding, roomy

PROJECT = "sdd-study"
SHARED_MEMORY = Path("/dev/shm")


def requirements() -> list[Requirement]:
    """Return what the project asks for, without extras, by the installed package or the source's own file."""
    source = Path(__file__).parent.parent.parent / "pyproject.toml"
    if source.exists():
        import tomllib

        texts = tomllib.loads(source.read_text(encoding="utf-8"))["project"]["dependencies"]
    else:
        texts = metadata.requires(PROJECT) or []
    found = [Requirement(text) for text in texts]
    return [item for item in found if item.marker is None or item.marker.evaluate({"extra": ""})]


def check_versions(situation: DoctorContext) -> Iterable[Finding]:
    """Check that every package the project asks for is there, in a version it asks for."""
    wrong, have = [], []
    for wanted in requirements():
        try:
            version = metadata.version(wanted.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{wanted} is not installed")
            continue
        have.append(f"{wanted.name} {version}")
        if not wanted.specifier.contains(version, prereleases=True):
            wrong.append(f"{wanted.name} {version} is not {wanted.specifier}")
    python = f"Python {platform.python_version()}"
    if wrong:
        yield Finding("versions", "fail", "; ".join(wrong), "pip install --upgrade sdd-study, or make venv")
    else:
        yield Finding("versions", "ok", ", ".join([python, *have]))


def check_devices(situation: DoctorContext) -> Iterable[Finding]:
    """Tell what would compute, and in which precision."""
    import torch

    from trainables.engine.device import best_precision
    from trainables.engine.driver import driver_problem

    cores = len(os.sched_getaffinity(0))
    build = f"torch {torch.__version__}" + (f" for CUDA {torch.version.cuda}" if torch.version.cuda else "")
    precision = best_precision(torch.device("cpu"))
    yield Finding("cpu", "ok", f"{cores} cores for this process; precision 'auto' is {precision}; {build}")
    if torch.cuda.is_available():
        for number in range(torch.cuda.device_count()):
            free, total = torch.cuda.mem_get_info(number)
            name = torch.cuda.get_device_name(number)
            precision = best_precision(torch.device("cuda", number))
            found = (
                f"{name}, {free / 2**30:.0f} of {total / 2**30:.0f} GiB free, precision 'auto' is {precision}"
            )
            busy = free < total / 2
            remedy = "another process uses it; see nvidia-smi" if busy else ""
            yield Finding(f"gpu {number}", "warn" if busy else "ok", found, remedy)
    elif shutil.which("nvidia-smi"):
        remedy = "install a torch build for its driver, or see CUDA_VISIBLE_DEVICES"
        yield Finding("gpu", "warn", f"torch sees no GPU: {driver_problem()}", remedy)
    else:
        yield Finding("gpu", "ok", "none; trials run on cores")


def check_compiler(situation: DoctorContext) -> Iterable[Finding]:
    """Look for what torch.compile needs: a C++ compiler for a CPU, and Triton with a C compiler for a GPU."""
    import torch

    found = next(filter(None, map(shutil.which, (os.environ.get("CXX", "g++"), "g++", "clang++"))), None)
    if found is None:
        remedy = "install g++ (Debian: apt-get install g++), or set resources.engine='eager'"
        yield Finding("compiler", "warn", "no C++ compiler; steps run eager, slower", remedy)
        return
    try:
        triton = f", Triton {metadata.version('triton')}"
    except metadata.PackageNotFoundError:
        triton = ""
        if torch.cuda.is_available():
            yield Finding("compiler", "warn", "no Triton; steps on the GPU run eager", "pip install triton")
            return
    yield Finding("compiler", "ok", f"{found}{triton}")


def check_shared_memory(situation: DoctorContext) -> Iterable[Finding]:
    """Check the room of /dev/shm: Ray keeps objects there; containers often have 64 MiB."""
    if SHARED_MEMORY.is_dir():
        free = shutil.disk_usage(SHARED_MEMORY).free
        remedy = (
            "Ray falls back to disk, slowly; in a container: docker run --shm-size=4g, an emptyDir of Memory"
        )
        yield roomy("shared memory", free, 0.0, 1.0, remedy)


CHECKS = (
    ("versions", check_versions),
    ("devices", check_devices),
    ("compiler", check_compiler),
    ("shared memory", check_shared_memory),
)
