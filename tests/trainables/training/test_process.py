"""A process that measures is set up as one that runs a study's trials."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import pytest
import torch

from benchmarks import made
from tests.trainables.trials import DATA, tiny
from trainables.data import load_raw
from trainables.data.dataset import DataSet
from trainables.distributed.process_group import SINGLE_PROCESS
from trainables.engine.compilation import MIN_COMPILED_STEPS
from trainables.engine.runtime import CachePolicy, Runtime
from trainables.ray_worker import trainable
from trainables.training import throughput
from trainables.training.process import MissingDevice, ProcessSettings, is_compiled
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


@pytest.mark.parametrize(("fit", "steps"), [("train", 3), ("all", 4)])
def test_whether_steps_are_compiled_is_known_without_a_device(
    digits: DataSet, fit: Literal["train", "all"], steps: int
) -> None:
    config, raw = tiny(fit=fit, test="end"), load_raw(DATA)
    assert {"train": digits.train, "all": digits.all}[fit].steps(config.training.batch_size) == steps
    trials = -(-MIN_COMPILED_STEPS["cuda"] // (steps * config.training.epochs))
    assert is_compiled(config, raw, ProcessSettings(gpus=0.5, trials=trials))
    assert not is_compiled(config, raw, ProcessSettings(gpus=0.5, trials=trials - 1))
    assert not is_compiled(config, raw, ProcessSettings(trials=trials)), "a CPU wants more of them"
    assert not is_compiled(config, raw, ProcessSettings(gpus=1, trials=trials, compile_mode="eager"))


def test_a_gpu_that_was_promised_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(MissingDevice, match="promises a GPU and torch finds none"):
        ProcessSettings(gpus=0.5).runtime()
