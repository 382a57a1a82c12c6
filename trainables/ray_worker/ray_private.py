"""Hands on the private names of Ray Train that :mod:`trainables.ray_worker.worker_group` needs.

Together they buy worker groups that live in the placement group of their Tune trial: devices of a stopped
trial are free after 0.3 s where Ray's own way needs the dashboard and else never frees them, and a report
arrives within 0.2 s in place of 2 s (``benchmarks/results/workers.md``). They are Ray Train's own seams.
``tests/trainables/ray_worker/test_worker_group.py`` holds what is relied on.
"""

from __future__ import annotations

from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.callbacks.placement_group_callback import PlacementGroupCleanerCallback
from ray.train.v2._internal.exceptions import UserExceptionWithTraceback
from ray.train.v2._internal.execution.callback import ReportCallback
from ray.train.v2._internal.execution.controller.controller import TrainController
from ray.train.v2._internal.execution.failure_handling.default import DefaultFailurePolicy
from ray.train.v2._internal.execution.failure_handling.failure_policy import FailureDecision
from ray.train.v2._internal.execution.scaling_policy.fixed import FixedScalingPolicy
from ray.train.v2._internal.execution.worker_group.placement_group_handle import DefaultPlacementGroupHandle
from ray.train.v2._internal.execution.worker_group.worker_group import WorkerGroup
from ray.train.v2.api.config import FailureConfig, RunConfig, ScalingConfig
from ray.train.v2.torch.torch_trainer import TorchTrainer

__all__ = [
    "DatasetsCallback",  # an actor that no trial here needs
    "DefaultFailurePolicy",  # begins again after a loss, not after an exception
    "DefaultPlacementGroupHandle",  # the trial's group is not the workers' to remove
    "FailureConfig",
    "FailureDecision",
    "FixedScalingPolicy",  # asks the autoscaler for nothing: it knows the trial's group
    "PlacementGroupCleanerCallback",  # the actor that asks the state API
    "ReportCallback",  # reports as they come
    "RunConfig",
    "ScalingConfig",
    "TorchTrainer",
    "TrainController",
    "UserExceptionWithTraceback",  # what a worker raised of itself
    "WorkerGroup",  # workers in the trial's placement group
]
