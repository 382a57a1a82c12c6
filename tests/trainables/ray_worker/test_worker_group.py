"""Trials of several workers on Ray, and how fast a stopped trial's devices are free."""

from __future__ import annotations

import inspect
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ray.train import FailureConfig, WorkerGroupError
from ray.train.v2._internal.execution.controller.controller import TrainController
from ray.train.v2._internal.execution.failure_handling.failure_policy import FailureDecision
from ray.train.v2._internal.execution.worker_group.worker_group import WorkerGroup
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from tests.trainables.trials import Run, numbers, tiny
from trainables.data.dataset import DataSet
from trainables.ray_worker.ray_private import UserExceptionWithTraceback
from trainables.ray_worker.worker_group import (
    MAX_CONSECUTIVE_LOSSES,
    PeerLost,
    _LostWorkerPolicy,
    _report_once,
    _Reports,
    bundles,
    worker_exceptions,
)
from trainables.storage.run_store import RunStore
from trainables.training.loop import NonFiniteLoss

ROOT = Path(__file__).parents[3]


def on_ray(scenario: str, number: int, folder: Path, *flags: str) -> dict[str, Any]:
    """What a scenario of ``tests.trainables.on_ray`` printed."""
    command = [sys.executable, "-m", "tests.trainables.on_ray", scenario, str(number), str(folder), *flags]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=400, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return seen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workers", "flags"),
    [(1, []), (1, ["other"]), (2, []), (2, ["dashboard"]), (2, ["other"]), (2, ["safe"])],
    ids=lambda value: str(value),
)
def test_a_stopped_trial_frees_its_devices_within_5_s(tmp_path: Path, workers: int, flags: list[str]) -> None:
    seen = on_ray("freeing", workers, tmp_path, *flags)
    print(f"freed after {seen['seconds']} s with {workers} workers {flags}")
    assert seen["seconds"] is not None
    assert seen["seconds"] < 5
    assert seen["members"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_killed_member_costs_no_epoch_that_was_checkpointed(tmp_path: Path, rank: int) -> None:
    seen = on_ray("killing", rank, tmp_path)
    print(f"training again {seen['seconds']:.1f} s after member {rank} was killed")
    assert [metrics["epoch"] for metrics in seen["reports"]] == list(range(1, 9))
    assert seen["history"] == seen["reports"], "an epoch that was trained twice took another time"
    assert numbers(seen["reports"]) == numbers(seen["undisturbed"])


@pytest.mark.slow
def test_a_group_on_ray_sees_the_curve_of_one_device(tmp_path: Path, digits: DataSet) -> None:
    seen = on_ray("failing", 2, tmp_path)
    assert (
        seen["error"]
        .strip()
        .splitlines()[-1]
        .startswith("trainables.training.loop.NonFiniteLoss: the loss is")
    )
    assert seen["second"] == seen["first"], "a finished trial is replayed"
    alone = Run(tiny(training={"lr": 1e-3}), RunStore(tmp_path / "alone"), digits).numbers
    for shared, one in zip(numbers(seen["first"]), alone, strict=True):
        assert shared == {
            key: pytest.approx(value, rel=1e-4, abs=1.5 if "top" in key else 1e-9)
            for key, value in one.items()
        }


def failure(*errors: Exception) -> WorkerGroupError:
    return WorkerGroupError("", dict(enumerate(errors)))


def test_a_fault_of_ones_own_fails_the_trial_and_a_lost_worker_does_not() -> None:
    own = UserExceptionWithTraceback(NonFiniteLoss("the loss is nan in epoch 1"), "")
    lost = UserExceptionWithTraceback(PeerLost("connection closed by peer"), "")
    policy = _LostWorkerPolicy(FailureConfig(max_failures=MAX_CONSECUTIVE_LOSSES))
    assert policy.make_decision(failure(lost, own)) == FailureDecision.RAISE
    assert [str(fault) for fault in worker_exceptions(failure(lost, own))] == ["the loss is nan in epoch 1"]
    assert worker_exceptions(failure(lost, RuntimeError("actor died"))) == []
    for _ in range(MAX_CONSECUTIVE_LOSSES):
        assert policy.make_decision(failure(lost)) == FailureDecision.RETRY
    assert policy.make_decision(failure(lost)) == FailureDecision.RAISE
    reports = _Reports(policy)
    for epoch in (1, 2):
        reports.after_report(None, [{"epoch": epoch}, {"epoch": epoch}])
    assert policy.make_decision(failure(lost)) == FailureDecision.RETRY
    for _ in range(MAX_CONSECUTIVE_LOSSES):
        reports.after_report(None, [{"epoch": 1}, {"epoch": 1}])  # replayed
        last = policy.make_decision(failure(lost))
    assert last == FailureDecision.RAISE


def test_an_epoch_is_reported_once() -> None:
    reported: list[float] = []
    report = _report_once(lambda metrics: reported.append(metrics["epoch"]))
    for epoch in (1, 2, 1, 2, 3):
        report({"epoch": epoch})
    assert reported == [1, 2, 3]


def test_the_trials_own_process_stays_on_safe_nodes_where_there_are_any() -> None:
    share = {"CPU": 4, "GPU": 1.0}
    assert bundles(2, share, safe=True) == [{"safe": 0.001}, share, share]
    assert bundles(2, share, safe=False) == [{}, share, share]


def test_the_parts_of_ray_that_are_overridden_are_there() -> None:
    assert TrainController.worker_group_cls is WorkerGroup
    assert "placement_group_bundle_indices" in inspect.signature(WorkerGroup._create_workers).parameters
    for kind, name in (
        (WorkerGroup, "_create_placement_group"),
        (DataParallelTrainer, "_create_default_callbacks"),
        (DataParallelTrainer, "_initialize_and_run_controller"),
    ):
        assert callable(getattr(kind, name))
