"""What a result was measured on, and where it is kept."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch


def machine() -> dict[str, Any]:
    """Hardware and versions, and how busy the machine was beside the measurement."""
    about: dict[str, Any] = {
        "command": " ".join(["python", "-m", _module(), *sys.argv[1:]]),
        "date": time.strftime("%Y-%m-%d %H:%M", time.gmtime()) + " UTC",
        "commit": _commit(),
        "cpu": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load_average_before": [round(value, 2) for value in os.getloadavg()],
        "python": platform.python_version(),
        "torch": torch.__version__,
    }
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        about |= {"gpu": properties.name, "gpu_memory_gib": round(properties.total_memory / 2**30, 1)}
        about |= {"cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version()}  # type: ignore[no-untyped-call]
    return about


def _module() -> str:
    """The module that was started."""
    spec = sys.modules["__main__"].__spec__
    return spec.name if spec is not None else Path(sys.argv[0]).stem


def save(path: str | Path | None, result: Mapping[str, Any]) -> None:
    """Write ``result`` as JSON; nowhere if ``path`` is None."""
    if path is not None:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(json.dumps(result, indent=1) + "\n")


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """``rows`` as a Markdown table; their keys are the columns."""
    columns = list(rows[0])
    cells = [[_shown(row.get(column)) for column in columns] for row in rows]
    lines = [columns, ["---"] * len(columns), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def seconds(function: Callable[[], Any], on: torch.device) -> float:
    """Seconds that one call takes, until the device has done it."""
    _wait(on)
    began = time.perf_counter()
    function()
    _wait(on)
    return time.perf_counter() - began


def summary(values: Sequence[float]) -> dict[str, float]:
    """Number, median, least and greatest of repeated measurements."""
    return {
        "n": len(values),
        "median": statistics.median(values),
        "min": min(values),
        "max": max(values),
    }


def _wait(on: torch.device) -> None:
    if on.type == "cuda":
        torch.cuda.synchronize(on)


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
    return "" if value is None else str(value)


def _commit() -> str | None:
    """The commit of the checkout that this file lies in; None outside one."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        run = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parent, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return run.stdout.strip() or None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    flags = [line for line in lines if line.startswith("flags")]
    units = [flag for flag in ("amx_bf16", "avx512_bf16") if flags and flag in flags[0]]
    return " ".join([names[0] if names else platform.processor(), *units])
