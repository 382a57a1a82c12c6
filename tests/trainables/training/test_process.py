"""A process that measures is set up as one that runs a study's trials."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from benchmarks import made
from trainables.distributed.process_group import SINGLE_PROCESS
from trainables.engine.runtime import CachePolicy, Runtime
from trainables.ray_worker import trainable
from trainables.training import throughput
from trainables.training.process import MissingDevice, ProcessSettings
from trainables.training.throughput import ThroughputProbe

CODE = "import os; os.environ['SDD_TEST_USER_CODE'] = 'ran'"


class Built(Exception):
    """Ends a trial, or a probe, once it knows how it runs."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime


def stop(*given: Any) -> Any:
    raise Built(next(one for one in given if isinstance(one, Runtime)))


@pytest.mark.usefixtures("one_thread")
def test_a_probe_runs_as_a_trial_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a study sets comes to both; what they differ in is what a process keeps, and whom it tells."""
    process = ProcessSettings(
        user_code=(CODE,), cpus=1, cache_policy=CachePolicy(1 << 20, verify=0.5), trials=12
    )
    config = made.trial(tmp_path, "resnet8", "resnet8", (1, 2), "float32", batch_size=32)
    raw: Any = made.raw(128, 10)
    monkeypatch.setattr(throughput, "build_engine", stop)
    monkeypatch.setattr(trainable, "run_trial", stop)
    runtimes = []
    for begin in (
        lambda: ThroughputProbe(
            SimpleNamespace(config=config, store=str(tmp_path), raw=raw, process=process)  # type: ignore[arg-type]
        ),
        lambda: trainable._run(
            config.to_dict(),
            trainable.TrialResources(store=tmp_path, raw=raw, process=process),
            lambda metrics: None,
            SINGLE_PROCESS,
        ),
    ):
        monkeypatch.setenv("SDD_TEST_USER_CODE", "did not run")
        monkeypatch.setattr("trainables.losses.user_losses._now", [])
        with pytest.raises(Built) as built:
            begin()
        assert os.environ["SDD_TEST_USER_CODE"] == "ran"
        runtimes.append(built.value.runtime)
    probed, run = (
        {f.name: getattr(runtime, f.name) for f in dataclasses.fields(Runtime)} for runtime in runtimes
    )
    assert {name for name in run if probed[name] != run[name]} == {"process_cache", "log"}
    assert run["trials"] == 12


def test_a_gpu_that_was_promised_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingDevice, match="promises a GPU and torch finds none"):
        ProcessSettings(gpus=0.5).runtime()
