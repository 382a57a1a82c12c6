"""The data plane trains with torch, torchvision and numpy alone: a borrowed GPU machine needs no more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

CODE = """
import sys

others = "ray mlflow optuna pandas sklearn scipy matplotlib rich timm pyarrow fsspec study"
for name in others.split():
    sys.modules[name] = None  # importing it fails, as where it is not installed

import importlib, pkgutil
from pathlib import Path
import numpy as np
import torch
import trainables

for module in pkgutil.walk_packages(trainables.__path__, "trainables."):
    if not module.name.startswith("trainables.ray_worker."):
        importlib.import_module(module.name)

from trainables.config import Data, LogitTerm, Method, Teacher, Training, TrialConfig
from trainables.data import load
from trainables.engine.runtime import Runtime
from trainables.training.loop import run_trial
from trainables.storage.run_store import RunStore

folder = Path(sys.argv[1])
rng = np.random.default_rng(0)
images = rng.integers(0, 255, (40, 32, 32, 3), dtype=np.uint8)
labels = np.arange(40, dtype=np.int64) % 4
np.savez(folder / "made.npz", train_images=images, train_labels=labels, test_images=images,
         test_labels=labels, classes=np.array(list("abcd")))
data = Data(name="packed", root=str(folder / "made.npz"), validation=0.2)
store, runtime = RunStore(folder / "store"), Runtime(torch.device("cpu"))
training = Training(epochs=1, batch_size=16, precision="float32")

def run(config):
    return run_trial(config, store, lambda c, device: load(c.data, device), lambda metrics: None, runtime)

teacher = run(TrialConfig(data=data, student="resnet8", training=training))
file = store.run(teacher["trial_key"]).student()
store.file_teacher(teacher["weights"], file.read_bytes(), {})
method = Method(logit=LogitTerm(scales=(1, 2), complementary_weight=2.0))
known = Teacher(name="resnet8", weights=teacher["weights"])
student = run(TrialConfig(data=data, student="resnet8", teacher=known, method=method, training=training,
                          fit="all", test="end"))
print(sorted(student["history"][-1]))
"""


def test_the_data_plane_needs_torch_torchvision_and_numpy_alone(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "test/top1" in done.stdout
    assert "train/loss_logit" in done.stdout
