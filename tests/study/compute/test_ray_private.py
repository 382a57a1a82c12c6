"""Ray still has the private names that the control plane uses, and they do what they are used for."""

from __future__ import annotations

import importlib
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import ray
from ray._private import ray_constants, services
from ray._private.node import Node
from ray.tune.execution.tune_controller import TuneController

from study.compute.ray_private import NAMES, SPARED, local_start

ROOT = Path(__file__).parents[3]

SCRIPT = """
import sys
from study.compute.ray_private import import_without_mlflow

import_without_mlflow()
assert "mlflow" not in sys.modules
import ray.air.integrations.mlflow
assert ray.air.integrations.mlflow.mlflow is None
import mlflow.version
print("whole afterwards")
"""


def test_counting_callbacks_imports_no_mlflow_and_leaves_it_importable() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "whole afterwards", done.stderr


def resolved(name: str) -> Any:
    """What a full name stands for."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ModuleNotFoundError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    raise AssertionError(f"there is no module at the beginning of {name}")


@pytest.mark.parametrize("name", NAMES)
def test_ray_has_the_name(name: str) -> None:
    resolved(name)  # AttributeError names what a new Ray lacks


@pytest.mark.parametrize(
    "name",
    ["_actor_cache", "_cleanup_cached_actors", "_pending_trials", "_resetting_trials", "_trial_to_actor"],
)
def test_tunes_controller_keeps_its_actors_under_this_name(name: str) -> None:
    source = (Path(ray.__file__).parent / "tune" / "execution" / "tune_controller.py").read_text()
    assert f"self.{name}" in source
    assert hasattr(TuneController, "_cleanup_cached_actors")


def test_ray_is_as_it_was_after_a_local_start() -> None:
    before = {name: getattr(Node, name) for name in SPARED}
    with local_start():
        assert all(getattr(Node, name) is not method for name, method in before.items())
        assert services.get_node_ip_address() == "127.0.0.1", "asked of nobody, so that nothing is printed"
    assert {name: getattr(Node, name) for name in SPARED} == before
    assert ray_constants.ENABLE_RAY_CLUSTER is True


def test_private_names_stand_in_these_modules_alone() -> None:
    rooms = [path for top in ("study", "trainables") for path in (ROOT / top).rglob("*.py")]
    using = [path for path in rooms if "ray._private" in path.read_text() or "._internal" in path.read_text()]
    assert {path.name for path in using} == {"ray_private.py"}


def test_ray_is_bounded_by_the_version_that_was_tried() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    (bound,) = [line for line in project["dependencies"] if line.startswith("ray[")]
    least, below = bound.partition("]")[2].split(",")
    lines = (ROOT / "requirements.lock").read_text().splitlines()
    (locked,) = [line.split()[0] for line in lines if line.startswith("ray==")]
    numbers = [tuple(map(int, text.lstrip("ray=<>").split(".")[:2])) for text in (least, locked, below)]
    assert numbers[0] <= numbers[1] < numbers[2]
