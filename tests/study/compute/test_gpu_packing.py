"""How many trials share a device follows from what is measured."""

from __future__ import annotations

import dataclasses
import multiprocessing
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.compute import gpu_packing as packing
from study.compute.gpu_packing import PackedTrial, PackingMeasurement, find_best_packing, summary
from study.compute.nodes import Nodes
from study.loading import load_space
from study.plan.resolve import resolve
from trainables.engine.runtime import CachePolicy
from trainables.storage.run_store import RunStore


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
    assert found[-1].trials == packing.MAX_TRIALS
    assert summary(found).startswith("trials on one device: 8 (1 at 100 images/s, 2 at 200 images/s")


def test_a_later_launch_finds_what_was_measured_for_the_same_trial(tmp_path: Path) -> None:
    store, found = RunStore(tmp_path), [PackingMeasurement(1, 100.0, 0.9), PackingMeasurement(2, 180.0, 0.8)]
    assert packing.load_packing(store, "study", "a") == []
    packing.save_packing(store, "study", "a", found)
    assert packing.load_packing(store, "study", "a") == found
    assert packing.load_packing(store, "study", "b") == []


def test_other_gpus_other_trials_and_another_way_to_share_are_measured_anew(
    space: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = packed_trial(space, tmp_path)
    nodes = {
        kind: Nodes((({"CPU": 8.0, "GPU": 1.0, f"accelerator_type:{kind}": 1.0}, 1),), 1)
        for kind in ("T4", "A10G")
    }
    seen = {packed.fingerprint(nodes["T4"]), packed.fingerprint(nodes["A10G"])}
    seen.add(dataclasses.replace(packed, cpus=4).fingerprint(nodes["T4"]))
    assert len(seen) == 3
    assert packed_trial(space, tmp_path).fingerprint(nodes["T4"]) in seen
    monkeypatch.setenv("SDD_MPS", "1")
    assert packed_trial(space, tmp_path).fingerprint(nodes["T4"]) not in seen


def packed_trial(space: Callable[..., Path], folder: Path) -> PackedTrial:
    """A small teacher's training on cores."""
    plan = resolve(load_space(space()))
    config = plan.teacher_trial(plan.spec.pairs[0]).config
    policy = CachePolicy("off")
    return PackedTrial(config, str(folder), plan.raw, 0, 1, compile_mode="eager", cache_policy=policy)


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
        return Throughput(1.0, 0.5)


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
    packed = dataclasses.replace(packed_trial(space, tmp_path), gpus=1, store=str(nodes))
    measured = in_a_process_of_its_own(measured_on_two_nodes, packed)
    assert measured == PackingMeasurement(4, 4.0, 0.5)
    assert len(list(nodes.iterdir())) == 1
