from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from benchmarks import made
from trainables.training.process import ProcessSettings
from trainables.training.throughput import ThroughputProbe


def test_a_probe_trains_each_image_once_and_then_pieces_of_the_time(tmp_path: Path) -> None:
    config = made.trial(tmp_path, "resnet8", "resnet8", (1, 2), "float32", batch_size=32)
    trial: Any = SimpleNamespace(
        config=config,
        store=str(tmp_path),
        raw=made.raw(128, 10),
        process=ProcessSettings(cpus=torch.get_num_threads(), compile_mode="eager"),
    )
    probe = ThroughputProbe(trial)
    teacher: Any = probe.engine.teacher
    for _ in range(2):
        measured = probe.train(0.2)
        assert measured.images_per_s > 0
        assert (measured.free, measured.wanted) == (1.0, 0.0)
        assert teacher.views.computed == 128
