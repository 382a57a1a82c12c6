"""Holds every name of Ray's that is not public and that the control plane uses, each with what it buys.

A test resolves :data:`NAMES`, so that a Ray which lacks one says so before a study does; ``pyproject.toml``
bounds Ray by the version they were tried with. Those of the data plane are in
:mod:`trainables.ray_worker.ray_private`. Figures are from ``benchmarks/results/overhead.md`` (2 cores).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from ray.job_config import JobConfig

SPARED = ("start_api_server", "start_monitor", "start_log_monitor")
"""What Ray's head node starts for others than its driver: the server that takes jobs and answers the state
commands, which its raylet waits for; the autoscaler; what carries workers' output to drivers that show it.
"""

NAMES = {
    **{f"ray._private.node.Node.{name}": "a local Ray 1 s earlier, 4 CPU seconds less" for name in SPARED},
    "ray._private.ray_constants.ENABLE_RAY_CLUSTER": "no line of Ray's on a machine without a network",
    "ray._private.services.get_node_ip_address": "reads the constant above when it is called",
    "ray.job_config.JobConfig": "a folder of the working directory is not imported in our place",
    "ray._private.utils.read_ray_address": "the cluster this machine is a node of is found by Ray's own rule",
    "ray.autoscaler._private.kuberay.autoscaling_config.AutoscalingConfigProducer": (
        "what a cluster on Kubernetes may grow to is read as its autoscaler reads it"
    ),
    "ray._private.worker._global_node": "a dead process of a local Ray is seen in 0.5 s, not after a minute",
    "ray._private.node.Node.dead_processes": "the same",
    "ray.job_submission.JobSubmissionClient": "its _server_ray_version: another Ray there is told at once",
    "ray.tune.execution.class_cache.DEFAULT_ENV_VARS": "the first step 0.8 s earlier (n = 6)",
    "ray.air.integrations.mlflow": "the first trial's process 1.0 s earlier",
    "ray.tune.execution.tune_controller.TuneController._cleanup_cached_actors": "idle devices in 3 s",
    "ray.tune.execution.tune_controller.TuneController._set_trial_status": (
        "a process that dies between two trials does not cost the next one"
    ),
}
"""Full names, and what each is used for. Attributes of instances stand in the functions below."""


@contextmanager
def local_start() -> Iterator[None]:
    """Have a Ray that is started inside be this launcher's alone: without :data:`SPARED`, on the loopback.

    No option of Ray's does either. Ray finds a node's address by asking the way to a host in the internet,
    and prints that there is none, before anything of ours, where there is no network.
    """
    from ray._private import ray_constants
    from ray._private.node import Node

    changed: dict[tuple[Any, str], Any] = {
        (ray_constants, "ENABLE_RAY_CLUSTER"): False,
        **{(Node, name): lambda *_, **__: None for name in SPARED},
    }
    kept = {(of, name): getattr(of, name) for of, name in changed}
    for (of, name), value in changed.items():
        setattr(of, name, value)
    try:
        yield
    finally:
        for (of, name), value in kept.items():
            setattr(of, name, value)


class _Complete(list[str]):
    """Holds what it was made with and takes no more."""

    def extend(self, more: Iterable[str]) -> None:
        """Leave the list as it is."""


def job_with_path(paths: list[str]) -> JobConfig:
    """Make the configuration of a Ray job whose processes import from ``paths`` and nowhere else first."""
    config = JobConfig()
    config._py_driver_sys_path = _Complete(paths)
    return config


def address_of_this_node() -> str | None:
    """Read the address of the cluster that ``ray start`` made this machine a node of, as Ray finds it."""
    from ray._private.utils import read_ray_address

    address: str | None = read_ray_address()
    return address or None


def dead_process() -> str | None:
    """Name a process of the Ray that this process started which has died; None while all live."""
    from ray._private.worker import _global_node

    if _global_node is None:
        return None
    return next((str(kind) for kind, _ in _global_node.dead_processes()), None)


def version_at(client: Any) -> str:
    """Tell the Ray version of the cluster behind a ``JobSubmissionClient``.

    Its ``get_version()`` is that of the job server's interface.
    """
    return str(client._server_ray_version)


def import_without_mlflow() -> None:
    """Have Ray's integration with MLflow imported, without MLflow.

    Tune imports it to count, for Ray's statistics, callbacks that are not used here. The launcher imports
    MLflow itself, which takes more than a second, while the first trial trains.
    """
    if "mlflow" in sys.modules:
        return
    sys.modules["mlflow"] = None  # type: ignore[assignment]  # an import of it fails
    try:
        importlib.import_module("ray.air.integrations.mlflow")
    finally:
        del sys.modules["mlflow"]


def use_plain_processes() -> None:
    """Have trials run in Ray's ordinary worker processes.

    Tune sets a variable for PyTorch Lightning, which is not used here, in the environment of its actors; a
    process of an environment of its own is started through a second interpreter.
    """
    from ray.tune.execution import class_cache

    class_cache.DEFAULT_ENV_VARS.pop("PL_DISABLE_FORK", None)


class IdleActors:
    """Looks at the actors that a Tune run keeps for trials to come, and at its trials that have none yet.

    Args:
        tune_controller: as Tune hands it to a scheduler.
    """

    def __init__(self, tune_controller: Any) -> None:
        self._controller = tune_controller._tune_controller

    @property
    def any(self) -> bool:
        """True where an actor whose trial has ended is kept."""
        return bool(self._controller._actor_cache.num_cached_objects)

    def let_go(self) -> None:
        """End the kept actors, whose devices are then free."""
        self._controller._cleanup_cached_actors(force_all=True)

    @property
    def waiting(self) -> set[Any]:
        """Trials that no actor has been started for."""
        found: set[Any] = self._controller._pending_trials - self._controller._trial_to_actor.keys()
        return found

    def forsaken(self, trial: Any) -> bool:
        """Tell whether a kept actor was to go on with ``trial`` and was lost; it is waited for no more."""
        waits = trial in self._controller._resetting_trials
        self._controller._resetting_trials.discard(trial)
        return waits

    def set_aside(self, trial: Any) -> None:
        """Keep ``trial`` from actors, and from errors that Tune has yet to tell of its last one."""
        self._controller._set_trial_status(trial, trial.PAUSED)

    def take_back(self, trial: Any) -> None:
        """Have ``trial`` wait for an actor."""
        self._controller._set_trial_status(trial, trial.PENDING)


def kubernetes_autoscaling(cluster: str, namespace: str) -> dict[str, Any]:
    """Return the autoscaler's configuration of a RayCluster, in the form of ``ray up``'s file.

    Asks the Kubernetes API once, as the pod's service account (KubeRay gives the head's the right to, where
    ``enableInTreeAutoscaling`` is set).
    """
    from ray.autoscaler._private.kuberay import autoscaling_config

    producer = autoscaling_config.AutoscalingConfigProducer(cluster, namespace)  # type: ignore[no-untyped-call]
    resource = producer.kubernetes_api_client.get(f"rayclusters/{cluster}")
    found: dict[str, Any] = autoscaling_config._derive_autoscaling_config_from_ray_cr(resource)
    return found
