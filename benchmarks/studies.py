"""The small studies that benchmarks launch: SD-KD of resnet20 into wrn_10_1 on cluttered digits.

Random search, no early stopping, nothing confirmed. The teacher is given (untrained: for the time it takes
its weights do not matter).
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
NAME = "study"
METRICS = (
    *("train/loss", "train/loss_ce", "train/loss_sdd", "train/top1", "lr", "time/train_s"),
    *("time/teacher_s", "time/epoch_s", "val/loss", "val/top1", "val/top5", "time/evaluate_s"),
)
"""What a trial reports after an epoch."""

SPACE = """
from study.spec import *

STUDY = StudySpec(
    data=Data(name="cluttered_digits", validation=0.1, options={{"scenes": {scenes}, "test": 100}}),
    pairs=(Pair("resnet20", "wrn_10_1", weights={weights!r}),),
    methods=(SDD(alpha=LogFloat(0.25, 4), beta=Float(1, 8), scales=Choice((1, 2), (1, 2, 4))),),
    training=Training(epochs={epochs}, milestones=(), lr=0.02),
    search=Search(sampler="random", stop=None),
    budget=Budget(trials={trials}),
    confirm=Confirm(best=0, paper=False),
    resources=Resources(**{resources!r}),
    name={name!r},
)
"""


def write_space(folder: Path, *, scenes: int, epochs: int, trials: int, **resources: Any) -> Path:
    """A space file in ``folder``; nine in ten of the scenes are trained on."""
    path = folder / "space.py"
    about = {"scenes": scenes, "epochs": epochs, "trials": trials, "resources": resources}
    path.write_text(SPACE.format(weights=str(_file_teacher(folder)), name=NAME, **about))
    return path


def _file_teacher(folder: Path) -> Path:
    """A file with an untrained teacher."""
    import torch

    from trainables import models

    torch.manual_seed(0)
    path = folder / "teacher.pth"
    torch.save({"model": models.build("resnet20", 10).state_dict()}, path)
    return path


def start(*command: str | Path, **environment: str) -> subprocess.Popen[str]:
    """A Python command of this checkout, with local MLflow; what it prints is caught."""
    kept = {name: value for name, value in os.environ.items() if name != "MLFLOW_TRACKING_URI"}
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        env={**kept, "PYTHONPATH": str(ROOT), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def launch(space: Path, results: Path, **environment: str) -> subprocess.Popen[str]:
    """Start the study of a space file."""
    return start(ROOT / "study" / "launch.py", "--space", space, "--results", results, **environment)


def finish(process: subprocess.Popen[str]) -> None:
    """Wait for its end; raises :class:`SystemExit` with what it printed where it failed."""
    printed, _ = process.communicate()
    if process.returncode:
        raise SystemExit(f"{process.args!r} ended with {process.returncode}\n{printed}")
