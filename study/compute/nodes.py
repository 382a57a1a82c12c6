"""Tells what the nodes of a cluster have, what it may grow to, and which trials fit on them."""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainables.engine.device import Precision

BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
"""File that ``ray up`` leaves on the head for its autoscaler."""
POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""File that names, in a pod, the namespace it runs in."""
BEFORE_AMPERE = ("K80", "P4", "P100", "V100", "T4")
"""GPUs whose matrix units do not take bf16, by Ray's names."""


@dataclass(frozen=True, slots=True)
class Nodes:
    """Says what a cluster has, or may grow to.

    >>> nodes = Nodes(kinds=(({"CPU": 16.0, "GPU": 4.0}, 2),), most=2)
    >>> nodes.largest("GPU"), nodes.trials(cpus=4, gpus=1)
    (4.0, 8)

    Attributes:
        kinds: resources of one node of each kind, and how many there can be of it.
        most: nodes there can be at once, of all kinds together.
    """

    kinds: tuple[tuple[dict[str, float], int], ...]
    most: int

    def largest(self, resource: str) -> float:
        """Return the most of ``resource`` that one node brings."""
        return max((resources.get(resource, 0.0) for resources, _ in self.kinds), default=0.0)

    def trials(self, cpus: float, gpus: float) -> int:
        """Count the trials at once, each of so many CPUs and GPUs, on the best choice of nodes."""
        left, trials = self.most, 0
        for fit, number in sorted(((fitting(one, cpus, gpus), n) for one, n in self.kinds), reverse=True):
            taken = min(left, number)
            left, trials = left - taken, trials + taken * fit
        return trials


def fitting(resources: dict[str, float], cpus: float, gpus: float) -> int:
    """Count the trials, each of so many CPUs and GPUs, that fit on one node."""
    fits = [resources.get("CPU", 0.0) // cpus] + ([resources.get("GPU", 0.0) // gpus] if gpus else [])
    return int(min(fits))


def gpu_precision(nodes: Nodes) -> Precision | None:
    """Return what ``auto`` precision is on these nodes' GPUs, bf16 from Ampere on; None without GPUs."""
    kinds = [resources for resources, _ in nodes.kinds if resources.get("GPU")]
    if not kinds:
        return None
    old = any(f"accelerator_type:{name}" in resources for name in BEFORE_AMPERE for resources in kinds)
    return "float32" if old else "bf16"


def growth(file: Path | None = None) -> Nodes | None:
    """Return what the autoscaler of the cluster that this machine is the head of may start; None without one.

    Machines that are listed by address have no kinds: what they bring is known when they have joined.
    """
    config = _autoscaling((file or BOOTSTRAP).expanduser())
    if config is None:
        return None
    kinds = dict(config.get("available_node_types") or {})
    kinds.pop(config.get("head_node_type"), None)
    most = int(config.get("max_workers", 0))
    sized = [
        (
            {name: float(number) for name, number in kind["resources"].items()},
            int(kind.get("max_workers", most)),
        )
        for kind in kinds.values()
        if kind.get("resources")
    ]
    return Nodes(tuple(sized), most)


def _autoscaling(path: Path) -> dict[str, Any] | None:
    """Return the autoscaler's configuration: of ``ray up``, or of the RayCluster whose pod this is."""
    import yaml

    if path.exists():
        config: dict[str, Any] = yaml.safe_load(path.read_text(encoding="utf-8"))
        return config
    cluster = os.environ.get("RAY_CLUSTER_NAME")  # KubeRay sets it in every pod of a cluster
    if cluster is None or not POD_NAMESPACE.exists():
        return None
    from study.compute.ray_private import kubernetes_autoscaling

    try:
        return kubernetes_autoscaling(cluster, POD_NAMESPACE.read_text(encoding="utf-8").strip())
    except Exception as error:  # no right to ask, no answer: many types; then the pods there are count
        logging.getLogger(__name__).warning("cannot ask Kubernetes what %s may grow to: %s", cluster, error)
        return None
