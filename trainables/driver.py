"""One Tune trial -> Ray Train -> :func:`trainables.loop.run_trial`; the only file here that imports Ray.

A one-device trial runs in the process of its Tune actor, through Ray Train's in-process mode
(``ScalingConfig(num_workers=0)``), and the actor is reused for the next trial: no start, no imports, and data
and teacher stay where they are. What is kept is keyed by all that decides it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Provision:
    """What a study gives each of its trials; none of it decides a trial's result.

    Attributes:
        store: root of the store of runs, a folder or a URL, reachable from every node.
        user_code: source files that register losses of the user's own.
        cpus, gpus: of one worker; it computes with ``cpus`` threads.
        room: for the teacher's remembered outputs.
        engine: whether steps are compiled.
    """

    store: Path | str
    user_code: tuple[str, ...] = ()
    cpus: int = 1
    gpus: float = 0.0
    room: Remembering = field(default_factory=Remembering)
    engine: Mode = "auto"


def trainable(given: Provision, raw: RawData) -> Callable[[dict[str, Any]], None]:
    """A Tune trainable for ``{"trial": TrialConfig.to_dict()}``, with its resources.

    ``raw``, the data set, goes into Ray's object store once, and each node reads it there.
    """
    with_data = tune.with_parameters(train, given=given, raw=raw)
    resourced: Callable[[dict[str, Any]], None] = tune.with_resources(
        with_data, {"cpu": given.cpus, "gpu": given.gpus}
    )
    return resourced


def train(config: dict[str, Any], given: Provision, raw: RawData) -> None:
    """Run the trial in ``config["trial"]`` on Ray Train, in this process."""
    run_sources(given.user_code)

    def worker(settings: Mapping[str, Any]) -> None:
        _run(TrialConfig.from_dict(settings), given, raw)

    TorchTrainer(worker, train_loop_config=config["trial"], scaling_config=ScalingConfig(num_workers=0)).fit()


def _run(config: TrialConfig, given: Provision, raw: RawData) -> None:
    torch.set_num_threads(given.cpus)
    run_trial(
        config,
        Store(given.store),
        lambda config, device: _data(raw, config.data, device),
        _report,
        torch.device("cuda" if torch.cuda.is_available() else "cpu"),
        room=given.room,
        engine=given.engine,
        warm=_warm,
    )


def _report(metrics: Metrics) -> None:
    tune.report(metrics)


def _data(raw: RawData, data: Data, device: torch.device) -> DataSet:
    return _warm.get("data", f"{data!r} {device}", lambda: prepare(raw, data, device))
