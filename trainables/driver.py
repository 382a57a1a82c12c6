"""One Tune trial -> Ray Train -> :func:`trainables.loop.run_trial`; the only file here that imports Ray.

A one-device trial runs in the process of its Tune actor, through Ray Train's in-process mode
(``ScalingConfig(num_workers=0)``), and the actor is reused for the next trial: no start, no imports, and data
and teacher stay where they are. What is kept is keyed by all that decides it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from ray import tune
from ray.train import ScalingConfig
from ray.train.torch import TorchTrainer

from trainables.compiled import Mode
from trainables.config import Data, TrialConfig
from trainables.data import RawData, prepare
from trainables.data.dataset import DataSet
from trainables.loop import Metrics, run_trial
from trainables.losses.user_code import run_sources
from trainables.remembering import Remembering
from trainables.store import Store
from trainables.warm import Warm

_warm = Warm()
"""What this process keeps from trial to trial."""


def trainable(
    store: Path,
    raw: RawData,
    user_code: tuple[str, ...],
    cpus: int,
    gpus: float,
    room: Remembering | None = None,
    engine: Mode = "auto",
) -> Callable[[dict[str, Any]], None]:
    """A Tune trainable for ``{"trial": TrialConfig.to_dict()}``, with its resources.

    Args:
        store: root of the store of runs, reachable from every node.
        raw: the data set; it goes into Ray's object store once and each node reads it there.
        user_code: source files that register losses of the user's own.
        cpus, gpus: of one trial; it computes with ``cpus`` threads.
        room: for the teacher's remembered outputs.
        engine: whether steps are compiled.
    """
    with_data = tune.with_parameters(
        train, raw=raw, store=str(store), user_code=user_code, threads=cpus, room=room, engine=engine
    )
    resourced: Callable[[dict[str, Any]], None] = tune.with_resources(with_data, {"cpu": cpus, "gpu": gpus})
    return resourced


def train(
    config: dict[str, Any],
    raw: RawData,
    store: str,
    user_code: tuple[str, ...],
    threads: int,
    room: Remembering | None,
    engine: Mode,
) -> None:
    """Run the trial in ``config["trial"]`` on Ray Train, in this process."""
    settings = {"trial": config["trial"], "store": store, "threads": threads, "room": room, "engine": engine}

    run_sources(user_code)

    def worker(settings: Mapping[str, Any]) -> None:
        _run(settings, raw)

    TorchTrainer(worker, train_loop_config=settings, scaling_config=ScalingConfig(num_workers=0)).fit()


def _run(settings: Mapping[str, Any], raw: RawData) -> None:
    torch.set_num_threads(settings["threads"])
    config = TrialConfig.from_dict(settings["trial"])
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    store = Store(Path(settings["store"]))
    run_trial(
        config,
        store,
        lambda c, d: _data(raw, c.data, d),
        _report,
        device,
        room=settings["room"],
        engine=settings["engine"],
        warm=_warm,
    )


def _report(metrics: Metrics) -> None:
    tune.report(metrics)


def _data(raw: RawData, data: Data, device: torch.device) -> DataSet:
    return _warm.get("data", f"{data!r} {device}", lambda: prepare(raw, data, device))
