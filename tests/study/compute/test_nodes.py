"""Clusters: what they may grow to, and the code that goes to them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from study.compute import address as address_
from study.compute import nodes as fleet
from study.compute import working_dir as working_dir_
from study.compute.nodes import Nodes

ROOT = Path(__file__).parents[3]


def test_the_shipped_fleet_promises_eight_gpus_before_it_has_any() -> None:
    nodes = fleet.growth(ROOT / "cluster/aws.yaml")
    assert nodes is not None
    assert nodes.largest("GPU") == 1
    assert nodes.trials(cpus=1, gpus=1) == 8, "max_workers counts for all kinds together"
    assert nodes.trials(cpus=1, gpus=0.5) == 16
    assert nodes.trials(cpus=8, gpus=1) == 0


def test_the_best_kinds_of_node_come_first() -> None:
    nodes = Nodes((({"CPU": 4.0}, 8), ({"CPU": 16.0}, 2)), most=5)
    assert nodes.trials(cpus=4, gpus=0) == 2 * 4 + 3 * 1


def test_auto_precision_follows_the_gpus_of_the_nodes() -> None:
    cpu, head = {"CPU": 8.0}, {"CPU": 0.0, "safe": 1000.0}
    assert fleet.gpu_precision(Nodes(((cpu, 2), (head, 1)), 3)) is None
    assert fleet.gpu_precision(Nodes((({"CPU": 4.0, "GPU": 1.0}, 2), (head, 1)), 3)) == "bf16"
    new, old = ({"CPU": 4.0, "GPU": 1.0, f"accelerator_type:{name}": 1.0} for name in ("A10G", "T4"))
    assert fleet.gpu_precision(Nodes(((new, 2),), 2)) == "bf16"
    assert fleet.gpu_precision(Nodes(((new, 2), (old, 2)), 4)) == "float32", "one that all of them have"


def test_machines_listed_by_address_have_no_kinds_yet(tmp_path: Path) -> None:
    file = tmp_path / "bootstrap.yaml"
    text = (
        "max_workers: 2\nhead_node_type: local.cluster.node\navailable_node_types: {local.cluster.node: {}}\n"
    )
    file.write_text(text)
    assert fleet.growth(file) == Nodes((), 2)
    assert fleet.growth(tmp_path / "nowhere.yaml") is None


@pytest.fixture
def pod(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """This process as the head's pod of the shipped RayJob; what the Kubernetes API gives, to be changed."""
    from ray.autoscaler._private.kuberay.node_provider import KubernetesHttpApiClient

    job = yaml.safe_load((ROOT / "cluster/kuberay.yaml").read_text())
    metadata = {"name": "sdd-study-x", "namespace": "research"}
    answer: dict[str, Any] = {"metadata": metadata, "spec": job["spec"]["rayClusterSpec"]}

    def get(self: KubernetesHttpApiClient, path: str) -> dict[str, Any]:
        assert (self._namespace, path) == ("research", "rayclusters/sdd-study-x")
        if not answer:
            raise OSError("403 Client Error: Forbidden")
        return answer

    (tmp_path / "namespace").write_text("research")
    monkeypatch.setattr(fleet, "POD_NAMESPACE", tmp_path / "namespace")
    monkeypatch.setenv("RAY_CLUSTER_NAME", "sdd-study-x")
    monkeypatch.setattr(KubernetesHttpApiClient, "get", get)
    return answer


def test_the_shipped_ray_job_promises_eight_gpus_from_no_pods(tmp_path: Path, pod: dict[str, Any]) -> None:
    """The head alone is there, which has no CPU: precision and trials follow what the cluster may grow to."""
    nodes = fleet.growth(tmp_path / "no_bootstrap.yaml")
    assert nodes is not None
    assert (nodes.largest("GPU"), nodes.largest("CPU")) == (1, 4)
    assert nodes.trials(cpus=1, gpus=1) == 8
    assert fleet.gpu_precision(nodes) == "bf16"


def test_a_pod_that_may_not_ask_counts_the_pods_there_are(
    tmp_path: Path, pod: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    pod.clear()
    assert fleet.growth(tmp_path / "no_bootstrap.yaml") is None
    assert "cannot ask Kubernetes what sdd-study-x may grow to: 403" in caplog.text


def test_a_cluster_that_is_gone_is_not_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ray._private.utils.read_ray_address", lambda: "127.0.0.1:9")
    assert address_.own_cluster() is None


def test_the_code_that_travels_is_enough_to_plan_a_study(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("from helper import STUDY\n")
    (tmp_path / "helper.py").write_text((ROOT / "search_spaces/quickstart.py").read_text())
    (tmp_path / "results").mkdir()
    with working_dir_.code(tmp_path / "mine.py") as folder:
        assert {path.name for path in folder.iterdir()} == {"study", "trainables", "search_spaces", "space"}
        assert {path.name for path in (folder / "space").iterdir()} == {"mine.py", "helper.py"}
        assert not list(folder.rglob("__pycache__"))
        line = "import study, study.loading as it; print(study.__file__, it.load_space('quickstart'))"
        done = subprocess.run(
            [sys.executable, "-c", line], cwd=folder, capture_output=True, text=True, check=False
        )
        assert done.stdout.startswith(str(folder)), done.stderr
    assert not folder.exists()
