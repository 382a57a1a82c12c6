"""A Ray of the launcher's own starts what it needs and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import ray

from study.compute.local_ray import start
from tests.study.faults.killing import descendants


@pytest.mark.ray
def test_a_local_ray_runs_tasks_without_dashboard_autoscaler_and_log_monitor() -> None:
    start({"log_to_driver": False})
    try:
        assert ray.get(ray.remote(lambda: 42).remote(), timeout=60) == 42
        commands = [command for _, command in descendants(os.getpid())]
        assert any("gcs_server" in command for command in commands)
        assert [line for line in commands if "dashboard.py" in line or "monitor.py" in line] == []
    finally:
        ray.shutdown()


ODD_PLACES = """
import os, ray
from study.compute.local_ray import start
start({"log_to_driver": False})
assert ray.get(ray.remote(lambda: 42).remote(), timeout=60) == 42
print(os.environ["RAY_AUTH_MODE"], "RAY_AUTH_TOKEN" in os.environ)
ray.shutdown()
"""


@pytest.mark.ray
def test_a_local_ray_starts_with_a_long_tmpdir_and_a_home_that_keeps_nothing(tmp_path: Path) -> None:
    long = tmp_path / ("x" * 119)
    long.mkdir()
    places = {"TMPDIR": str(long), "HOME": "/dev/null"}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-c", ODD_PLACES],
        env={**environment, **places},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "token True\n"), done.stderr
    assert list(long.iterdir()) == []


@pytest.mark.ray
def test_a_folder_of_the_working_directory_hides_nothing_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("trainables", "study", "torchvision"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("raise RuntimeError('not ours')\n")
    monkeypatch.chdir(tmp_path)

    def found() -> list[str | None]:
        import importlib.util

        specs = [importlib.util.find_spec(name) for name in ("trainables", "study", "torchvision")]
        return [spec.origin if spec else None for spec in specs]

    start({"log_to_driver": False})
    try:
        there = ray.get(ray.remote(found).remote(), timeout=60)
    finally:
        ray.shutdown()
    assert [Path(str(origin)).is_relative_to(tmp_path) for origin in there] == [False, False, False]
