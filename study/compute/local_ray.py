"""A Ray of the launcher's own, on this machine."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.job_config import JobConfig

STARTS = 4
"""Attempts, of 30 s each on a busy machine."""

SPARED = ("start_api_server", "start_monitor", "start_log_monitor")
"""What Ray's head node starts for others than its driver: the server that takes jobs and answers the state
commands, which its raylet waits for; the autoscaler; what carries workers' output to drivers that show it.
"""


def start(options: dict[str, Any]) -> None:
    """Start Ray with the cores this process may use."""
    own = {"include_dashboard": False, "num_cpus": len(os.sched_getaffinity(0)), "job_config": own_path()}
    options = {**own, **options}
    for left in reversed(range(STARTS)):
        try:
            with spared():
                ray.init(address="local", **options)
            return
        except Exception as error:
            if not left or "timed out during startup" not in str(error):
                raise
            ray.shutdown()


class _Complete(list[str]):
    """A list that takes no more."""

    def extend(self, more: Iterable[str]) -> None:
        """Leave it as it is."""


def own_path() -> JobConfig:
    """Have trial processes import this program from where the launcher did.

    Ray puts the working directory before all else, and a folder there that is called ``trainables``, or like
    a package of ours or of torch's, would be imported in its place.
    """
    root = str(Path(__file__).resolve().parents[2])
    installed = root in {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    config = JobConfig()
    config._py_driver_sys_path = _Complete([] if installed else [root])
    return config


@contextmanager
def spared() -> Iterator[None]:
    """Leave out :data:`SPARED`; no option of Ray's does."""
    from ray._private.node import Node

    kept = {name: getattr(Node, name) for name in SPARED if hasattr(Node, name)}
    for name in kept:
        setattr(Node, name, lambda *_, **__: None)
    try:
        yield
    finally:
        for name, method in kept.items():
            setattr(Node, name, method)
