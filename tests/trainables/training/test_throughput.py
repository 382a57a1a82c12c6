from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from benchmarks import made
from trainables.engine.runtime import CachePolicy
from trainables.training.throughput import ThroughputProbe


def test_a_probe_trains_each_image_once_and_then_pieces_of_the_time(tmp_path: Path) -> None:
    config = made.trial(tmp_path, "resnet8", "resnet8", (1, 2), "float32", batch_size=32)
    trial: Any = SimpleNamespace(
        config=config,
        store=str(tmp_path),
        raw=made.raw(128, 10),
        gpus=0,
        cpus=torch.get_num_threads(),
        compile_mode="eager",
        cache_policy=CachePolicy(),
    )
    probe = ThroughputProbe(trial)
    teacher: Any = probe.engine.teacher
    for _ in range(2):
        measured = probe.train(0.2)
        assert measured.images_per_s > 0
        assert measured.free == 1.0
        assert teacher.views.computed == 128
