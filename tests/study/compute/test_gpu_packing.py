"""How many trials share a device follows from what is measured."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from ray.exceptions import ActorDiedError, NodeDiedError, OutOfMemoryError, RayError, RayTaskError

from study.compute import gpu_packing as packing
from study.compute.gpu_packing import (
    PackedTrial,
    PackingMeasurement,
    find_best_packing,
    summary,
)
from study.compute.nodes import Nodes
from study.loading import load_space
from study.plan.resolve import resolve
from trainables.engine.runtime import CachePolicy
from trainables.training.process import ProcessSettings


def attempts(rates: dict[int, tuple[float, float]]) -> Callable[[int], PackingMeasurement | None]:
    def attempt(trials: int) -> PackingMeasurement | None:
        return PackingMeasurement(trials, *rates[trials]) if trials in rates else None

    return attempt


@pytest.mark.parametrize(
    ("rates", "best"),
    [
        ({1: (100, 0.9), 2: (180, 0.8), 4: (190, 0.7)}, 2),  # four are hardly faster than two
        ({1: (100, 0.9), 2: (180, 0.05)}, 1),  # two leave too little memory
        ({1: (100, 0.9), 2: (180, 0.6), 4: (300, 0.3)}, 4),  # eight do not fit
        ({1: (100, 0.02)}, 1),
    ],
)
def test_more_trials_as_long_as_they_pay(rates: dict[int, tuple[float, float]], best: int) -> None:
    assert find_best_packing(attempts(rates))[-1].trials == best


def test_nothing_fits() -> None:
    assert find_best_packing(attempts({})) == []


def test_never_more_than_the_most() -> None:
    many = {2**n: (100.0 * 2**n, 1.0) for n in range(6)}
    found = find_best_packing(attempts(many))
    assert found[-1].trials == packing.COUNTS[-1]
    assert summary(found).startswith("trials on one device: 8 (1 at 100 images/s, 2 at 200 images/s")


TRACE = 'Traceback (most recent call last):\n  File "a.py", line 1, in train\n    step()\n'


def raised(cause: Exception) -> RayTaskError:
    """What ``ray.get`` raises where a method of a probe raised ``cause``."""
    return _kept(cause).as_instanceof_cause()


def raised_first(cause: Exception) -> ActorDiedError:
    """What it raises where its constructor did."""
    return ActorDiedError(_kept(cause))


def _kept(cause: Exception) -> RayTaskError:
    text = f"{TRACE}{type(cause).__module__}.{type(cause).__name__}: {cause}"
    return RayTaskError("train", text, cause, "ray::train", 1, "127.0.0.1")


def lost(text: str) -> ActorDiedError:
    """What it raises where the process is gone."""
    error = ActorDiedError()
    error.error_msg = text
    return error


FULL = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
MAYBE = "The actor died unexpectedly before finishing this task.\n\t(1) the OOM killer: out of memory"


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (raised(FULL), None),
        (raised(RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate`")), None),
        (raised(MemoryError()), None),
        (raised_first(FULL), None),
        (OutOfMemoryError("Task was killed due to the node running low on memory."), None),
        (lost(MAYBE), "The actor died unexpectedly before finishing this task."),
        (NodeDiedError("The node of the task died."), "The node of the task died."),
        (raised(ValueError("no such loss")), "ValueError: no such loss"),
        (raised_first(ValueError("no such loss")), "ValueError: no such loss"),
    ],
)
def test_want_of_memory_is_told_from_all_else(error: RayError, told: str | None) -> None:
    assert packing.is_for_memory(error) is (told is None)
    if told is not None:
        assert packing.fault_line(error).endswith(told)


def packed_trial(space: Callable[..., Path], folder: Path) -> PackedTrial:
    """A small teacher's training on cores."""
    plan = resolve(load_space(space()))
    config = plan.teacher_trial(plan.spec.pairs[0]).config
    process = ProcessSettings(compile_mode="eager", cache_policy=CachePolicy("off"))
    return PackedTrial(config, str(folder), plan.raw, process)


def in_a_process_of_its_own(function: Callable[..., Any], *given: Any) -> Any:
    """What ``function`` returns there: a process that has met one Ray does not reach another for certain."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, given)


def measured_on_cores(packed: PackedTrial) -> tuple[list[PackingMeasurement | None], bool]:
    """What 1, 2 and 3 trials reach on two cores, and whether these are free again in the end."""
    import ray

    packing.WARM_UP_S, packing.MEASURED_S = 0.5, 1.0
    nodes = Nodes((({"CPU": 2.0}, 1),), 1)
    ray.init(address="local", num_cpus=2, include_dashboard=False)
    found = [packing.measure_packing(trials, packed, nodes) for trials in (1, 2, 3)]
    end = time.monotonic() + 10
    while (free := ray.available_resources().get("CPU") == 2) is False and time.monotonic() < end:
        time.sleep(0.1)
    ray.shutdown()
    return found, free


@pytest.mark.slow
@pytest.mark.ray
def test_real_trials_on_cores(space: Callable[..., Path], tmp_path: Path) -> None:
    (one, two, three), free = in_a_process_of_its_own(measured_on_cores, packed_trial(space, tmp_path))
    assert one is not None
    assert two is not None
    assert one.images_per_s > 0
    assert two.images_per_s > 0
    assert three is None, "three trials of a core do not fit on two"
    assert free
    assert not any(tmp_path.glob("runs/*")), "a probe leaves no run behind"


class Whereabouts:
    """A probe that says on how many nodes probes have been, in place of images a second."""

    def __init__(self, trial: PackedTrial) -> None:
        import ray

        self.node = ray.get_runtime_context().get_node_id()
        self.folder = Path(trial.store)

    def train(self, seconds: float) -> Any:
        from trainables.training.throughput import Throughput

        (self.folder / self.node).touch()
        return Throughput(1.0, 0.5, 0.0)


def measured_on_two_nodes(packed: PackedTrial) -> PackingMeasurement | None:
    """What four trials reach that are in one place or another, a device each."""
    import ray
    from ray.cluster_utils import Cluster

    from trainables.training import throughput

    throughput.ThroughputProbe = Whereabouts  # type: ignore[assignment, misc]
    cluster = Cluster()
    for _ in range(2):
        cluster.add_node(num_cpus=4, num_gpus=1, include_dashboard=False)
    ray.init(address=cluster.address)
    found = packing.measure_packing(4, packed, Nodes((({"CPU": 4.0, "GPU": 1.0}, 2),), 2))
    ray.shutdown()
    cluster.shutdown()
    return found


@pytest.mark.slow
@pytest.mark.ray
def test_all_trials_share_one_device_of_a_cluster(space: Callable[..., Path], tmp_path: Path) -> None:
    """Free actors of a quarter of a GPU each would spread over both nodes."""
    nodes = tmp_path / "nodes"
    nodes.mkdir()
    process = ProcessSettings(gpus=0.25)
    packed = dataclasses.replace(packed_trial(space, tmp_path), process=process, store=str(nodes))
    measured = in_a_process_of_its_own(measured_on_two_nodes, packed)
    assert measured == PackingMeasurement(4, 4.0, 0.5)
    assert len(list(nodes.iterdir())) == 1


class Ending(Whereabouts):
    """A probe that ends as its store's name says."""

    def __init__(self, trial: PackedTrial) -> None:
        super().__init__(trial)
        self.how = self.folder.name
        if self.how == "full at once":
            raise FULL

    def train(self, seconds: float) -> Any:
        if self.how == "full":
            raise FULL
        if self.how == "lost":
            os._exit(1)
        raise ValueError("no such loss")


def ended(packed: PackedTrial, folders: list[str]) -> list[str]:
    """What becomes of the measurement of probes that end in each way."""
    import ray

    from trainables.training import throughput

    throughput.ThroughputProbe = Ending  # type: ignore[assignment, misc]
    packing.NODE_WAIT_S = 2.0
    ray.init(address="local", num_cpus=2, include_dashboard=False)
    told = []
    for number, folder in enumerate([*folders, "taken"]):
        trial = dataclasses.replace(packed, store=folder)
        nodes = Nodes((({"CPU": 8.0}, 1),), 1)  # what it may grow to
        try:
            told.append(str(packing.measure_packing(2 if number < len(folders) else 4, trial, nodes)))
        except packing.MeasurementCutShort as reason:
            told.append(f"cut short: {reason}")
    ray.shutdown()
    return told


@pytest.mark.slow
@pytest.mark.ray
def test_how_probes_end_on_a_real_ray(space: Callable[..., Path], tmp_path: Path) -> None:
    folders = [str(tmp_path / how) for how in ("full", "full at once", "lost", "at fault")]
    *fits, lost_, at_fault, taken = in_a_process_of_its_own(ended, packed_trial(space, tmp_path), folders)
    assert fits == ["None", "None"]
    assert lost_.startswith("cut short: The actor died unexpectedly")
    assert at_fault == "cut short: ValueError: no such loss"
    assert taken == "cut short: no device became free in 0 minutes"
