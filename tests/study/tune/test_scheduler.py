"""What a process's death between two trials costs on a real Tune run: one loss, and no trial."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import ray
from ray import tune
from ray.tune.search import Searcher

from study.compute.cluster import QUIET
from study.compute.local_ray import start
from study.tune.scheduler import IdleActorScheduler


class Kept(tune.Trainable):
    """Ends with its second report, and dies where it shall go on with another trial, unless it did before."""

    def setup(self, config: dict[str, Any]) -> None:
        self.reports = 0

    def step(self) -> dict[str, Any]:
        self.reports += 1
        return {"reports": self.reports, "done": self.reports == 2}

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        try:
            os.close(os.open(new_config["died"], os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            self.reports = 0
            return True
        os.kill(os.getpid(), signal.SIGKILL)
        return False

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        pass


class Three(Searcher):
    """Suggests three trials."""

    def __init__(self, died: Path) -> None:
        super().__init__()
        self.left, self.running, self.died = 3, 0, str(died)

    def suggest(self, trial_id: str) -> Any:
        if self.left:
            self.left, self.running = self.left - 1, self.running + 1
            return {"died": self.died}
        return None if self.running else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        self.running -= 1

    def save(self, checkpoint_path: str) -> None:
        pass


class Heard(tune.Callback):
    """Keeps what Tune tells of its trials."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.left: dict[str, int] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.told.append("complete")
        self.left[trial.trial_id] = trial.max_failures - trial.num_failures

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.told.append("recover")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.told.append("error")


@pytest.fixture
def local_ray(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name, value in QUIET.items():
        monkeypatch.setenv(name, value)
    start({"num_cpus": 1, "log_to_driver": False})
    yield
    ray.shutdown()


@pytest.mark.ray
def test_a_process_that_dies_between_two_trials_costs_one_loss_and_no_trial(
    local_ray: None, tmp_path: Path
) -> None:
    heard = Heard()
    found = tune.Tuner(
        Kept,
        tune_config=tune.TuneConfig(
            search_alg=Three(tmp_path / "died"),
            scheduler=IdleActorScheduler(),
            num_samples=-1,
            max_concurrent_trials=1,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            storage_path=tempfile.mkdtemp(prefix="tune-", dir=tmp_path),
            verbose=0,
            callbacks=[heard],
            failure_config=tune.FailureConfig(max_failures=3),
        ),
    ).fit()
    assert (tmp_path / "died").exists()
    assert heard.told == ["complete", "recover", "complete", "complete"]
    assert sorted(heard.left.values()) == [2, 3, 3], "one process was lost, once"
    assert [result.metrics["reports"] for result in found] == [2, 2, 2]  # type: ignore[attr-defined]
