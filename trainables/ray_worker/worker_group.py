"""Trains one trial on several workers: a Ray Train worker group in the resources Tune gave the trial.

Ray Train makes a placement group of its own for its workers. Of a trial that is stopped, or whose process
dies, it is freed by an actor that asks the state API, which needs the dashboard and cannot tell two Ray
instances on one host apart: the devices are then never free again. Here the workers live in the placement
group of the Tune trial (:func:`bundles`), so that Tune waits for their devices before it starts the trial,
and frees them with it in every case, workers and all.

The overridden parts of Ray Train V2 are its own seams (``worker_group_cls``, ``_create_placement_group``),
but not public; ``tests/trainables/ray_worker/test_worker_group.py`` holds what is relied on.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import RayActorError
from ray.train import WorkerGroupError
from ray.train.torch import TorchConfig
from ray.util.placement_group import PlacementGroup, get_current_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

from trainables.ray_worker.ray_private import (
    DatasetsCallback,
    DefaultFailurePolicy,
    DefaultPlacementGroupHandle,
    FailureConfig,
    FailureDecision,
    FixedScalingPolicy,
    PlacementGroupCleanerCallback,
    ReportCallback,
    RunConfig,
    ScalingConfig,
    TorchTrainer,
    TrainController,
    UserExceptionWithTraceback,
    WorkerGroup,
)

Metrics = dict[str, float]
Report = Callable[[Metrics], None]

POLL_INTERVAL_S = 0.2
"""Seconds between two looks at the workers (Ray's default is 2); a report waits for the next."""

MAX_CONSECUTIVE_LOSSES = 3
"""Times in a row, without an epoch between them, that lost workers are replaced before the trial fails."""

SHUTDOWN_TIMEOUT_S = "5"
"""Seconds that workers get to leave their process group, which they cannot while they wait for a lost one."""


class PeerLost(Exception):
    """Says that another worker of the group has ended; the whole group begins again from the checkpoint."""


def bundles(workers: int, share: dict[str, float], safe: bool) -> list[dict[str, float]]:
    """Return the resources of a trial of several workers: the trial's own process, then each worker.

    The trial's process computes nothing. On a cluster with ``safe`` nodes it stays on one of them.
    """
    return [{"safe": 0.001} if safe else {}, *[share] * workers]


def run_worker_group(
    work: Callable[[Mapping[str, Any]], None],
    settings: Mapping[str, Any],
    workers: int,
    share: dict[str, float],
    report: Report,
) -> None:
    """Run ``work(settings)`` on each worker of a group; to be called in the process of a Tune trial.

    Args:
        share: resources of one worker.
        report: called here with the metrics of each epoch, once, however often it was trained or replayed.

    Raises:
        Exception: what a worker raised, or :class:`ray.train.WorkerGroupError` if workers keep getting lost.
    """
    once = _report_once(report)
    for left in reversed(range(MAX_CONSECUTIVE_LOSSES + 1)):
        trainer = _Trainer(
            work,
            train_loop_config=dict(settings),
            scaling_config=ScalingConfig(
                num_workers=workers, use_gpu=share["GPU"] > 0, resources_per_worker=share
            ),
            # NCCL refuses two workers on one device
            torch_config=TorchConfig(backend="nccl" if share["GPU"] == 1 else "gloo"),
            run_config=RunConfig(
                storage_path=str(Path.cwd()),
                failure_config=FailureConfig(max_failures=MAX_CONSECUTIVE_LOSSES),
            ),
        )
        trainer.report = once
        try:
            trainer.fit()
            return
        except WorkerGroupError as error:
            raise next(iter(worker_exceptions(error)), error) from None
        except RayActorError:  # the controller, and its workers with it
            if not left:
                raise


def worker_exceptions(error: BaseException) -> list[BaseException]:
    """Return what workers raised of themselves, rather than for the loss of another."""
    failures = error.worker_failures.values() if isinstance(error, WorkerGroupError) else ()
    raised = [failure._base_exc for failure in failures if isinstance(failure, UserExceptionWithTraceback)]
    return [fault for fault in raised if not isinstance(fault, PeerLost)]


def _report_once(report: Report) -> Report:
    reported = 0.0

    def first_time(metrics: Metrics) -> None:
        nonlocal reported
        if metrics["epoch"] > reported:
            reported = metrics["epoch"]
            report(metrics)

    return first_time


def _trial_placement_group() -> PlacementGroup:
    group = get_current_placement_group()
    assert group is not None, "a worker group lives in the placement group of a Tune trial"
    return group


class _TrialPlacementGroup(DefaultPlacementGroupHandle):
    """Hands the workers the trial's placement group, which is not theirs to remove."""

    def shutdown(self) -> None:
        """Leave the group to the trial."""


class _Workers(WorkerGroup):
    """Puts workers in the last bundles of the trial's placement group."""

    def _create_placement_group(self, *_: Any) -> _TrialPlacementGroup:
        return _TrialPlacementGroup(_trial_placement_group())

    def _create_workers(self, num_workers: int, placement_group: Any, *rest: Any, **more: Any) -> Any:
        first = placement_group.bundle_count - num_workers
        more["placement_group_bundle_indices"] = list(range(first, placement_group.bundle_count))
        return super()._create_workers(num_workers, placement_group, *rest, **more)


class _LostWorkerPolicy(DefaultFailurePolicy):
    """Begins again after the loss of a worker, not after an exception that would come again."""

    def make_decision(self, training_failed_error: Any) -> FailureDecision:
        if worker_exceptions(training_failed_error):
            return FailureDecision.RAISE
        return super().make_decision(training_failed_error)

    def reset(self) -> None:
        """Count losses from none again: an epoch is done."""
        self._worker_group_failures = 0


class _FixedWorkers(FixedScalingPolicy):
    """Asks for no resources: of these workers the autoscaler knows from the trial's placement group."""

    def _send_resource_request(self) -> None:
        pass

    _maybe_send_resource_request = _cancel_resource_request = _send_resource_request


class _Reports(ReportCallback):
    """Keeps what the workers reported until it is fetched."""

    def __init__(self, policy: _LostWorkerPolicy) -> None:
        self.waiting: list[Metrics] = []
        self._policy = policy
        self._latest = 0.0

    def after_report(self, training_report: Any, metrics: list[Metrics]) -> None:
        """Keep rank 0's metrics, which are all workers'; an epoch replayed after a loss is no progress."""
        self.waiting.append(metrics[0])
        if metrics[0]["epoch"] > self._latest:
            self._latest = metrics[0]["epoch"]
            self._policy.reset()


class _Controller(TrainController):
    """Extends Ray Train's controller: workers in the trial's placement group, reports to be fetched."""

    worker_group_cls = _Workers

    def __init__(self, callbacks: list[Any], train_run_context: Any, **settings: Any) -> None:
        os.environ.setdefault("TORCH_PROCESS_GROUP_SHUTDOWN_TIMEOUT_S", SHUTDOWN_TIMEOUT_S)
        policy = _LostWorkerPolicy(train_run_context.run_config.failure_config)
        self._reports = _Reports(policy)
        super().__init__(
            callbacks=[*callbacks, self._reports],
            failure_policy=policy,
            scaling_policy=_FixedWorkers(train_run_context.scaling_config),
            train_run_context=train_run_context,
            **settings,
        )
        self._health_check_interval_s = POLL_INTERVAL_S

    async def reports(self) -> list[Metrics]:
        """Wait for metrics reported since the last call, and return them; none once everything is over."""
        while not self._reports.waiting and not self.get_state().is_terminal():
            await asyncio.sleep(POLL_INTERVAL_S / 4)
        taken, self._reports.waiting = self._reports.waiting, []
        return taken


class _Trainer(TorchTrainer):
    """Hands on reports as they come, and takes the group down with itself."""

    report: Report

    def _create_default_callbacks(self) -> list[Any]:
        """Return Ray's callbacks, without those that start an actor of which there is no need."""
        idle = (PlacementGroupCleanerCallback, DatasetsCallback)
        return [call for call in super()._create_default_callbacks() if not isinstance(call, idle)]

    def _initialize_and_run_controller(self, **settings: Any) -> Any:
        for own in ("failure_policy", "scaling_policy"):
            del settings[own]
        here = PlacementGroupSchedulingStrategy(
            _trial_placement_group(),
            placement_group_bundle_index=0,
            placement_group_capture_child_tasks=True,
        )
        actor: Any = ray.remote(_Controller)
        actor = actor.options(num_cpus=0, scheduling_strategy=here)
        controller: Any = actor.remote(**settings)
        try:
            run = controller.run.remote()
            while reports := ray.get(controller.reports.remote()):
                for metrics in reports:
                    self.report(metrics)
            ray.get(run)
            return ray.get(controller.get_result.remote())
        finally:  # a stopped trial leaves through ``report``; the workers die with their controller
            ray.kill(controller)
