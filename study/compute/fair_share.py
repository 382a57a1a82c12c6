"""Counts the studies that run on a cluster, so that each takes only its part.

Each launch on a cluster that others may use keeps a named actor there, which needs no core and goes with
the launch, however that ends. Whoever counts those names knows among how many the cluster is shared.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

NAMESPACE = "sdd-study"
LOOK_EVERY_S = 5.0


class LaunchMarker:
    """Marks a launch on a cluster, so that the launches of other studies there can count it."""

    def __init__(self) -> None:
        kind: Any = ray.remote(num_cpus=0, max_restarts=-1)(_MarkerActor)
        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=True)
        name = uuid.uuid4().hex
        self._here = kind.options(name=name, namespace=NAMESPACE, scheduling_strategy=here).remote()

    def studies(self) -> int:
        """Count the launches on this cluster now, this one among them."""
        names: list[dict[str, str]] = ray.util.list_named_actors(all_namespaces=True)
        return max(1, sum(actor["namespace"] == NAMESPACE for actor in names))


class _MarkerActor:
    """Lives as long as a launch; its name alone is looked at."""


def fair_share(slots: int, studies: Callable[[], int]) -> Callable[[], int]:
    """Make a function that tells how many of ``slots`` trials at once are a launch's part.

    It counts the studies again every few seconds.

    Each study gets the same, rounded up, and at least one. A study that has more running when another
    arrives ends none of them: it begins no new one until it is down to its part.

    >>> fair_share(8, studies=lambda: 3)()
    3
    """
    known, look_at = slots, 0.0

    def now() -> int:
        nonlocal known, look_at
        if time.monotonic() >= look_at:
            known, look_at = max(1, -(-slots // studies())), time.monotonic() + LOOK_EVERY_S
        return known

    return now
