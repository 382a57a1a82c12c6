"""A Ray of the launcher's own, on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray

STARTS = 4
"""Attempts, of 30 s each on a busy machine."""

SPARED = ("start_api_server", "start_monitor", "start_log_monitor")
"""What Ray's head node starts for others than its driver: the server that takes jobs and answers the state
commands, which its raylet waits for; the autoscaler; what carries workers' output to drivers that show it.
"""


def start(options: dict[str, Any]) -> None:
    """Start Ray with the cores this process may use."""
    options = {"include_dashboard": False, "num_cpus": len(os.sched_getaffinity(0)), **options}
    for left in reversed(range(STARTS)):
        try:
            with spared():
                ray.init(address="local", **options)
            return
        except Exception as error:
            if not left or "timed out during startup" not in str(error):
                raise
            ray.shutdown()


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
