"""How many trials share a device is measured, kept where it was measured to its end, and else told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from study.compute import gpu_packing as packing
from study.compute.gpu_packing import MeasurementCutShort, PackedTrial, PackingMeasurement
from study.compute.nodes import Nodes
from study.loading import load_space
from study.plan.expected import trials_a_kind
from study.plan.resolve import resolve
from study.tune.tuner import StudyTuner
from trainables.storage.run_store import RunStore

NODES = Nodes((({"CPU": 16.0, "GPU": 2.0, "accelerator_type:A10G": 1.0}, 1),), 1)


class Launch:
    """A study's tuner on a cluster of two GPUs, whose measurements are those of a test."""

    def __init__(self, space: Path, store: Path, *overrides: str, nodes: Nodes = NODES) -> None:
        self.plan = resolve(load_space(space, overrides))
        self.cluster: Any = SimpleNamespace(connect=lambda: None, nodes=lambda: nodes, share=None)
        self.tuner = StudyTuner(self.plan, RunStore(store), self.cluster, recorder=None)  # type: ignore[arg-type]

    def share(self) -> float | None:
        self.tuner.measure_share(self.plan.teacher_trial(self.plan.spec.pairs[0]).config)
        share: float | None = self.cluster.share
        return share


def test_a_measurement_that_is_cut_short_is_used_and_not_kept(
    space: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    rates, tried = {1: 100.0, 2: 180.0}, list[int]()
    lost_at = 2

    def measure(trials: int, packed: PackedTrial, nodes: Nodes) -> PackingMeasurement | None:
        tried.append(trials)
        if trials == lost_at:
            raise MeasurementCutShort("its node was lost")
        return PackingMeasurement(trials, rates[trials], free=0.5) if trials in rates else None

    monkeypatch.setattr(packing, "measure_packing", measure)
    written = space()
    assert Launch(written, tmp_path).share() == 1.0
    told = "cut short, the next launch measures again (2 at once: its node was lost)"
    assert [record.getMessage() for record in caplog.records if told in record.getMessage()]
    lost_at = 1
    assert Launch(written, tmp_path).share() is None
    lost_at = 0
    assert Launch(written, tmp_path).share() == 0.5
    assert tried == [1, 2, 1, 1, 2, 4]
    assert Launch(written, tmp_path).share() == 0.5
    assert len(tried) == 6, "what was measured to its end is kept"


def test_what_is_measured_may_expect_as_many_trials_as_a_process_of_the_study(
    space: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[int, PackedTrial] = {}

    def measure(trials: int, packed: PackedTrial, nodes: Nodes) -> PackingMeasurement:
        seen[trials] = packed
        return PackingMeasurement(trials, 100.0 * trials, free=0.5)

    monkeypatch.setattr(packing, "measure_packing", measure)
    launch = Launch(space(), tmp_path)
    assert launch.share() == 0.125
    assert list(seen) == [1, 2, 4, 8]
    for trials, packed in seen.items():
        at_once = launch.plan.spec.resources.max_concurrent or NODES.trials(packed.process.cpus, 1 / trials)
        assert packed.process.trials == trials_a_kind(launch.plan, at_once)
        assert packed.process.gpus == 1 / trials
    assert packed.process == launch.tuner._process(NODES, 0.125)


def test_another_budget_or_number_of_nodes_finds_what_was_measured(
    space: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = list[int]()

    def measure(trials: int, packed: PackedTrial, nodes: Nodes) -> PackingMeasurement | None:
        tried.append(trials)
        return PackingMeasurement(trials, 100.0, free=0.5) if trials == 1 else None

    monkeypatch.setattr(packing, "measure_packing", measure)
    written, more_nodes = space(), Nodes(((NODES.kinds[0][0], 4),), 4)
    first = Launch(written, tmp_path, "budget.trials=40")
    others = [
        Launch(written, tmp_path, "budget.trials=80"),
        Launch(written, tmp_path, "budget.trials=40", nodes=more_nodes),
    ]
    assert first.share() == 1.0
    assert tried == [1, 2]
    expected = [launch.tuner._process(launch.cluster.nodes(), 1.0).trials for launch in (first, *others)]
    assert len(set(expected)) == 3
    assert [launch.share() for launch in others] == [1.0, 1.0]
    assert tried == [1, 2], "nothing is measured anew"
    assert Launch(written, tmp_path, "budget.trials=4000000").share() == 1.0
    assert tried == [1, 2, 1, 2], "its steps are compiled"
