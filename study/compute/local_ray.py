"""Starts a Ray of the launcher's own, on this machine."""

from __future__ import annotations

import os
import sysconfig
from pathlib import Path
from typing import Any

import ray
from ray.job_config import JobConfig

from study.compute.ray_private import job_with_path, local_start

STARTS = 4
"""Attempts to start Ray, of 30 s each on a busy machine."""


def start(options: dict[str, Any]) -> None:
    """Start Ray with the cores this process may use."""
    own = {"include_dashboard": False, "num_cpus": len(os.sched_getaffinity(0)), "job_config": own_path()}
    options = {**own, **options}
    for left in reversed(range(STARTS)):
        try:
            with local_start():
                ray.init(address="local", **options)
            return
        except Exception as error:
            if not left or "timed out during startup" not in str(error):
                raise
            ray.shutdown()


def own_path() -> JobConfig:
    """Make a Ray job's configuration: trial processes import this program from where the launcher did.

    Ray puts the working directory before all else, and a folder there that is called ``trainables``, or like
    a package of ours or of torch's, would be imported in its place.
    """
    root = str(Path(__file__).resolve().parents[2])
    installed = root in {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    return job_with_path([] if installed else [root])
