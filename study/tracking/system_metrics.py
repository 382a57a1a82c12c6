"""Logs the machine's load to the study's run, where MLflow's own switch for that is on."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

log = logging.getLogger(__name__)

SWITCH = "MLFLOW_ENABLE_SYSTEM_METRICS_LOGGING"
INSTALL = "pip install 'sdd-study[system-metrics]'"


@contextmanager
def system_metrics(run: str, uri: str) -> Iterator[None]:
    """Log cores, memory, disk, network and GPUs of this machine to ``run`` while inside, if asked for.

    It is the launcher's machine; of a cluster, Ray's dashboard shows the others.
    """
    monitor = _monitor(run, uri)
    if monitor is not None:
        monitor.start()
    try:
        yield
    finally:
        if monitor is not None:
            monitor.finish()


def _monitor(run: str, uri: str) -> Any:
    """Return MLflow's monitor; None where it is not asked for, or cannot be had, which is said."""
    if os.environ.get(SWITCH, "").lower() not in ("true", "1"):
        return None
    if find_spec("psutil") is None:  # which MLflow's monitors want
        log.warning(f"{SWITCH} is on, and nothing is logged: psutil is not installed; {INSTALL}")
        return None
    from mlflow.system_metrics import system_metrics_monitor as monitors

    make: Any = monitors.SystemMetricsMonitor
    return make(run, resume_logging=True, tracking_uri=uri)
