"""Runs one Tune trial on Ray Train, through :func:`trainables.training.loop.run_trial`.

A trial of one worker runs in the process of its Tune actor, through Ray Train's in-process mode
(``ScalingConfig(num_workers=0)``), and the actor is reused for the next trial: no start, no imports, and data
and teacher stay where they are. What is kept is keyed by all that decides it. A trial of several workers is
trained by a worker group, see :mod:`trainables.ray_worker.worker_group`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import ray
import ray.train.torch
from ray import tune
from ray.exceptions import RayError, RayTaskError
from ray.train import ScalingConfig
from ray.train.torch import TorchTrainer

from trainables.config.trial import TrialConfig
from trainables.data import RawData
from trainables.distributed.process_group import SINGLE_PROCESS, DistributedGroup, ProcessGroup, peer_lost
from trainables.engine.evaluation import Metrics
from trainables.engine.kept_data import kept_data
from trainables.engine.process_cache import ProcessCache
from trainables.losses.user_losses import run_sources
from trainables.ray_worker.messages import ReportChannel, failure_report
from trainables.ray_worker.worker_group import PeerLost, bundles, run_worker_group
from trainables.storage.run_store import RunStore
from trainables.training.checkpoint import wait_for_writers
from trainables.training.loop import Report, run_trial
from trainables.training.process import ProcessSettings

LEAVING = "SDD_LEAVING"
"""Environment variable: a file that is there once this machine is about to go (cluster/spot.py)."""

_process_cache = ProcessCache()
"""What this process keeps from trial to trial."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialResources:
    """Carries what a study gives each of its trials; none of it decides a trial's result, but for rounding.

    Attributes:
        store: root of the run store, a folder or a URL, reachable from every node.
        raw: the data set, in Ray's object store; each node reads it there.
        process: what each of its processes is given.
        workers: processes that train a trial together.
        safe: whether the cluster has nodes that offer ``safe``, where the processes of trials of several
            workers belong, while their workers may be anywhere.
    """

    store: Path | str
    raw: ray.ObjectRef[RawData]
    process: ProcessSettings = field(default_factory=ProcessSettings)
    workers: int = 1
    safe: bool = False

    @property
    def share(self) -> dict[str, float]:
        """Resources of one worker."""
        return {"CPU": self.process.cpus, "GPU": self.process.gpus}

    @property
    def resources(self) -> tune.PlacementGroupFactory:
        """All that a trial takes of the cluster."""
        if self.workers == 1:
            return tune.PlacementGroupFactory([self.share])
        return tune.PlacementGroupFactory(bundles(self.workers, self.share, self.safe))


def trainable(given: TrialResources) -> Callable[[dict[str, Any]], None]:
    """Return a Tune trainable for ``{"trial": TrialConfig.to_dict()}``, with its resources."""
    resourced: Callable[[dict[str, Any]], None] = tune.with_resources(
        tune.with_parameters(train, given=given), given.resources
    )
    return resourced


def train(config: dict[str, Any], given: TrialResources) -> None:
    """Run the trial in ``config["trial"]`` on Ray Train: in this process, or by a worker group.

    ``config["threads"]`` are those of a trial that has more cores than its share of Ray's: a teacher alone.
    """
    with failure_reported():
        _train(config, given)


@contextmanager
def failure_reported() -> Iterator[None]:
    """Report why the trial ends before an exception ends it.

    Tune begins again what ended without a word: a process that was killed, or lost with its node. Ray's own
    errors are of that kind too.
    """
    try:
        yield
    except Exception as error:
        if not isinstance(error, RayError) or isinstance(error, RayTaskError):
            tune.report(failure_report(error))
        raise


def _train(config: dict[str, Any], given: TrialResources) -> None:
    run_sources(given.process.user_code)
    if given.workers == 1:
        threads = max(given.process.cpus, config.get("threads", 0))
        given = replace(given, process=replace(given.process, cpus=threads))
        TorchTrainer(
            lambda trial: _run(trial, given, report_or_exit, SINGLE_PROCESS),
            train_loop_config=config["trial"],
            scaling_config=ScalingConfig(num_workers=0),
        ).fit()
        return
    trial = TrialConfig.from_dict(config["trial"])
    result = RunStore(given.store).run(trial.trial_key).result()
    if result is None:
        work = partial(_run_member, given)
        run_worker_group(work, config["trial"], given.workers, given.share, tune.report)
    else:
        for metrics in result["history"]:
            tune.report(metrics)


def _run_member(given: TrialResources, trial: Mapping[str, Any]) -> None:
    """Run the trial as one worker of a group."""
    try:
        _run(trial, given, ray.train.report, DistributedGroup())
    except Exception as error:
        if peer_lost(error):
            raise PeerLost(str(error)) from error
        raise


def _run(trial: Mapping[str, Any], given: TrialResources, report: Report, group: ProcessGroup) -> None:
    channel = ReportChannel(report)
    device = ray.train.torch.get_device() if group.size > 1 else None
    runtime = given.process.runtime(device, process_cache=_process_cache, group=group, log=channel.log)
    run_trial(
        TrialConfig.from_dict(trial),
        RunStore(given.store),
        lambda config, device: kept_data(_process_cache, config.data, device, lambda: ray.get(given.raw)),
        channel.report,
        runtime,
    )


def report_or_exit(metrics: Metrics) -> None:
    """Report ``metrics``; on a machine about to be taken away, end this process after that.

    The epoch is checkpointed, and Tune goes on with the trial elsewhere, as with any process that is lost.
    """
    tune.report(metrics)
    if (sign := os.environ.get(LEAVING)) and os.path.exists(sign):
        wait_for_writers()
        print(f"leaving this machine after epoch {metrics['epoch']:g}: {sign} is there", flush=True)
        os._exit(0)
