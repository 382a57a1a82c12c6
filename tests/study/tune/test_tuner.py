"""What the runner keeps out of the way of the first trial."""

from __future__ import annotations

import subprocess
import sys

SCRIPT = """
import sys
from study.tune.tuner import import_without_mlflow

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
