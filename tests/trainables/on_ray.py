"""Trials on a local Ray of their own: ``python -m tests.trainables.on_ray SCENARIO NUMBER FOLDER [FLAG]...``.

Each scenario prints one line of JSON at its end.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.search import Searcher

from study.compute.cluster import QUIET
from study.tune.scheduler import IdleActorScheduler
from tests.trainables.trials import DATA, tiny
from trainables.config import TrialConfig
from trainables.data import load_raw
from trainables.ray_worker.trainable import TrialResources, trainable
from trainables.storage.run_store import RunStore

OTHER = "import ray, time; ray.init(address='local', num_cpus=1, include_dashboard=False); time.sleep(600)"


class Watch(tune.Callback):
    """Reports and ends of trials, by seed."""

    def __init__(self, on_report: Callable[[int, dict[str, Any]], None] = lambda seed, metrics: None) -> None:
        self.reports: dict[int, list[dict[str, Any]]] = {}
        self.errors: dict[int, str] = {}
        self.on_report = on_report

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        seed = trial.config["trial"]["seed"]
        metrics = {key: value for key, value in result.items() if key in ("epoch", "lr") or "/" in key}
        self.reports.setdefault(seed, []).append(metrics)
        self.on_report(seed, metrics)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self.errors[trial.config["trial"]["seed"]] = Path(trial.error_file).read_text()


class Stop(tune.Stopper):
    """Stops the trials that a function of (seed, metrics) names."""

    def __init__(self, when: Callable[[int, dict[str, Any]], bool]) -> None:
        self.when = when

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return self.when(result["config"]["trial"]["seed"], result)

    def stop_all(self) -> bool:
        return False


class Asked(Searcher):
    """Suggests trials, then nothing more: as a study's search does at the end of its budget."""

    def __init__(self, configs: list[TrialConfig]) -> None:
        super().__init__(metric="val/top1", mode="max")
        self.left, self.running = list(configs), len(configs)

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def set_search_properties(self, *args: Any, **spec: Any) -> bool:
        return True

    def suggest(self, trial_id: str) -> Any:
        if self.left:
            return {"trial": self.left.pop(0).to_dict()}
        return None if self.running else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        self.running -= 1

    def save(self, checkpoint_path: str) -> None:
        pass

    def restore(self, checkpoint_path: str) -> None:
        pass


def run(
    configs: list[TrialConfig],
    store: Path,
    workers: int,
    watch: Watch,
    stop: Callable[[int, dict[str, Any]], bool] = lambda seed, metrics: False,
) -> None:
    """Run trials on Ray, as many at once as fit, through the product's own trainable."""
    given = TrialResources(
        store=store, raw=ray.put(load_raw(DATA)), workers=workers, safe="safe" in resources()
    )
    tune.Tuner(
        trainable(given),
        tune_config=tune.TuneConfig(
            search_alg=Asked(configs),
            scheduler=IdleActorScheduler(),
            num_samples=-1,
            reuse_actors=True,
            max_concurrent_trials=2,
        ),
        run_config=tune.RunConfig(
            name="study",
            storage_path=tempfile.mkdtemp(prefix="tune-"),
            verbose=0,
            callbacks=[watch],
            stop=Stop(stop),
        ),
    ).fit()


def resources() -> dict[str, float]:
    """All that the cluster has."""
    total: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
    return total


def members() -> list[int]:
    """The process ids of the workers of worker groups on this Ray, rising."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
    found = []
    for process in parents:
        ancestor = process
        while ancestor in parents and ancestor != os.getpid():
            ancestor = parents[ancestor]
        with contextlib.suppress(OSError):
            name = Path(f"/proc/{process}/cmdline").read_bytes()
            if ancestor == os.getpid() and b"RayTrainWorker" in name:
                found.append(process)
    return sorted(found)


def freeing(workers: int, folder: Path) -> dict[str, Any]:
    """Of two trials that run at once, one is stopped; seconds until its devices are free."""
    watch, freed = Watch(), threading.Event()
    stopped: list[float] = []
    seconds: list[float] = []

    def poll() -> None:
        while ray.available_resources().get("CPU", 0) < resources()["CPU"] - workers:
            time.sleep(0.05)
        seconds.append(time.monotonic() - stopped[0])
        freed.set()

    def stop(seed: int, metrics: dict[str, Any]) -> bool:
        if seed == 0 and 1 in watch.reports and not stopped:
            stopped.append(time.monotonic())
            threading.Thread(target=poll, daemon=True).start()
        if seed == 0:
            return bool(stopped)
        return freed.is_set() or (bool(stopped) and time.monotonic() - stopped[0] > 60)

    configs = [tiny(seed=seed, training={"epochs": 1000}) for seed in range(2)]
    run(configs, folder / "store", workers, watch, stop)
    time.sleep(3)
    return {"seconds": seconds[0] if seconds else None, "members": len(members())}


def killing(rank: int, folder: Path) -> dict[str, Any]:
    """One member of a group is killed after the second epoch."""
    killed: list[float] = []
    again: list[float] = []

    def reported(seed: int, metrics: dict[str, Any]) -> None:
        if metrics["epoch"] == 2:
            os.kill(members()[rank], signal.SIGKILL)
            killed.append(time.monotonic())
        elif metrics["epoch"] > 2 and time.monotonic() - killed[0] > 2:
            again.append(time.monotonic() - killed[0])

    disturbed, undisturbed = Watch(reported), Watch()
    config = tiny(training={"epochs": 8, "lr": 1e-3})
    run([config], folder / "disturbed", 2, disturbed)
    run([config], folder / "undisturbed", 2, undisturbed)
    result = RunStore(folder / "disturbed").run(config.trial_key).result()
    return {
        "reports": disturbed.reports[0],
        "undisturbed": undisturbed.reports[0],
        "history": result["history"] if result else None,
        "seconds": again[0] if again else None,
    }


def failing(workers: int, folder: Path) -> dict[str, Any]:
    """A trial whose loss is not finite, and a finished one that is asked for again."""
    watch, first, second = Watch(), Watch(), Watch()
    began = time.monotonic()
    run([tiny(seed=3, training={"lr": 1e20})], folder / "store", workers, watch)
    seconds = time.monotonic() - began
    done = tiny(training={"lr": 1e-3})
    run([done], folder / "store", workers, first)
    run([done], folder / "store", workers, second)
    return {
        "error": watch.errors[3],
        "seconds": seconds,
        "first": first.reports[0],
        "second": second.reports[0],
    }


def main(name: str, number: int, folder: Path, *, dashboard: bool, other: bool, safe: bool) -> None:
    """Run a scenario on a new local Ray, beside another one if that is asked for."""
    os.environ.update(QUIET)
    beside = subprocess.Popen([sys.executable, "-c", OTHER]) if other else None
    try:
        if beside is not None:
            time.sleep(15)
        ray.init(
            address="local",
            num_cpus=4,
            include_dashboard=dashboard,
            log_to_driver=False,
            resources={"safe": 1} if safe else None,
        )
        scenario = {"freeing": freeing, "killing": killing, "failing": failing}[name]
        print(json.dumps(scenario(number, folder)), flush=True)
        ray.shutdown()
    finally:
        if beside is not None:
            beside.kill()


if __name__ == "__main__":
    scenario, number, folder, *flags = sys.argv[1:]
    main(
        scenario,
        int(number),
        Path(folder),
        dashboard="dashboard" in flags,
        other="other" in flags,
        safe="safe" in flags,
    )
