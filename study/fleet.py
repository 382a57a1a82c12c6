"""Clusters: which one this machine belongs to, what it may grow to, and the code on its way to its nodes."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trainables.precision import Precision

BOOTSTRAP = Path("~/ray_bootstrap_config.yaml")
"""What ``ray up`` leaves on the head for its autoscaler."""

CODE = ("study", "trainables", "search_spaces")
BEFORE_AMPERE = ("K80", "P4", "P100", "V100", "T4")
"""GPUs whose matrix units do not take bf16, by Ray's names."""

IN_A_JOB = "RAY_JOB_CONFIG_JSON_ENV_VAR"


@dataclass(frozen=True, slots=True)
class Nodes:
    """What a cluster has, or may grow to.

    Attributes:
        kinds: resources of one node of each kind, and how many there can be of it.
        most: nodes there can be at once, of all kinds together.
    """

    kinds: tuple[tuple[dict[str, float], int], ...]
    most: int

    def largest(self, resource: str) -> float:
        """The most of ``resource`` that one node brings."""
        return max((resources.get(resource, 0.0) for resources, _ in self.kinds), default=0.0)

    def trials(self, cpus: float, gpus: float) -> int:
        """Trials at once, each of so many CPUs and GPUs, on the best choice of nodes."""
        left, trials = self.most, 0
        for fit, number in sorted(((fitting(one, cpus, gpus), n) for one, n in self.kinds), reverse=True):
            taken = min(left, number)
            left, trials = left - taken, trials + taken * fit
        return trials


def fitting(resources: dict[str, float], cpus: float, gpus: float) -> int:
    """Trials that fit on one node."""
    fits = [resources.get("CPU", 0.0) // cpus] + ([resources.get("GPU", 0.0) // gpus] if gpus else [])
    return int(min(fits))


def gpu_precision(nodes: Nodes) -> Precision | None:
    """What ``auto`` precision is on GPUs of these nodes, from Ampere on bf16; None where there are none."""
    kinds = [resources for resources, _ in nodes.kinds if resources.get("GPU")]
    if not kinds:
        return None
    old = any(f"accelerator_type:{name}" in resources for name in BEFORE_AMPERE for resources in kinds)
    return "float32" if old else "bf16"


def own_cluster() -> str | None:
    """Address of the cluster that ``ray start`` made this machine a node of; None where there is none.

    Ray's own rule, but for a file left by a cluster that is gone: that one does not answer.
    """
    from ray._private.utils import read_ray_address

    from study.cluster import check_answers
    from study.errors import ClusterError

    address: str | None = read_ray_address()
    if not address:
        return None
    try:
        check_answers(address)
    except ClusterError:
        return None
    return address


def growth(file: Path | None = None) -> Nodes | None:
    """What the autoscaler of the cluster this machine is the head of may start; None where it has no say.

    Machines that are listed by address have no kinds: what they bring is known when they have joined.
    """
    import yaml

    path = (file or BOOTSTRAP).expanduser()
    if not path.exists():
        return None
    config: dict[str, Any] = yaml.safe_load(path.read_text())
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


@contextmanager
def code(space: Path | None = None) -> Iterator[Path]:
    """A folder with this program's code alone, to be a job's ``working_dir``; gone afterwards.

    Args:
        space: a space file of the user's; it is put into ``space/``, with the Python files beside it that it
            may import.
    """
    root = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory(prefix="sdd-code-") as scratch:
        for name in CODE:
            ignored = shutil.ignore_patterns("__pycache__", ".*")
            shutil.copytree(root / name, Path(scratch, name), ignore=ignored)
        if space is not None:
            target = Path(scratch, "space")
            target.mkdir()
            for file in {space, *space.parent.glob("*.py")}:
                shutil.copy(file, target / file.name)
        yield Path(scratch)


def travels_already() -> bool:
    """Whether this process is a Ray job, whose code is on every node by the job's own environment."""
    return IN_A_JOB in os.environ
