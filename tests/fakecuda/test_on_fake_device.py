"""Runs the tests of the GPU path, ``device_*.py``, in processes that see a CUDA without a device."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fakecuda import build

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(build.missing() is not None, reason=f"fake CUDA: {build.missing()}")


def on_fake_device(*command: str, **settings: str) -> str:
    """The output of a Python command there; the test fails where the command does."""
    done = subprocess.run(
        [sys.executable, *command],
        cwd=ROOT,
        env={**build.environment(**settings), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-8000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def run_file(name: str, marked: str) -> None:
    """Run the tests of ``device_<name>.py`` that are ``marked``."""
    options = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "0", "-m", marked]
    on_fake_device(*options, str(HERE / f"device_{name}.py"))


@pytest.mark.parametrize("name", ["data", "networks", "recorded", "steps", "streamed"])
def test_the_gpu_path(name: str) -> None:
    run_file(name, "not slow")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["networks", "compiled"])
def test_the_compiled_gpu_path(name: str) -> None:
    run_file(name, "slow")


def test_a_t4_gets_float32_and_refuses_bf16() -> None:
    code = """
from tests.fakecuda.engines import engine, inputs
from trainables.config import ConfigError
from trainables.engine.device import best_precision

assert best_precision() == "float32"
engine(inputs(precision="float32"))
try:
    engine(inputs())
except ConfigError as error:
    print(error)
"""
    said = on_fake_device("-c", code, name="Tesla T4", capability="75", gb="16", multiprocessors="40")
    assert said.startswith(
        "training.precision: Tesla T4 (compute capability 7.5) has no matrix units for bf16"
    )


def test_the_driver_that_is_there_is_named() -> None:
    code = "from trainables.engine.driver import driver_problem; print(driver_problem())"
    assert "the driver there is for CUDA 12.4; update it" in on_fake_device("-c", code, driver="12040")
