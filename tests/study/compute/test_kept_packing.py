"""What was measured of a device is found again by launches to which it applies."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.compute.gpu_packing import PackingMeasurement
from study.compute.kept_packing import fingerprint, load_packing, save_packing
from study.compute.nodes import Nodes
from tests.study.compute.test_gpu_packing import packed_trial
from trainables.engine.runtime import CachePolicy
from trainables.storage.run_store import RunStore
from trainables.training.process import ProcessSettings


def test_a_later_launch_finds_what_was_measured_for_the_same_trial(tmp_path: Path) -> None:
    store, found = RunStore(tmp_path), [PackingMeasurement(1, 100.0, 0.9), PackingMeasurement(2, 180.0, 0.8)]
    assert load_packing(store, "study", "a") == []
    save_packing(store, "study", "a", found)
    assert load_packing(store, "study", "a") == found
    assert load_packing(store, "study", "b") == []


def test_other_gpus_other_trials_and_another_way_to_share_are_measured_anew(
    space: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = [packed_trial(space, tmp_path)]
    nodes = {
        kind: Nodes((({"CPU": 8.0, "GPU": 1.0, f"accelerator_type:{kind}": 1.0}, 1),), 1)
        for kind in ("T4", "A10G")
    }
    seen = {fingerprint(packed, nodes["T4"]), fingerprint(packed, nodes["A10G"])}
    changes: list[dict[str, Any]] = [
        {"cpus": 4},
        {"compile_mode": "compiled"},
        {"compile_mode": "auto"},
        {"cache_policy": CachePolicy(1 << 30)},
        {"user_code": ("LOSS = 1",)},
    ]
    for change in changes:
        process = dataclasses.replace(packed[0].process, **change)
        seen.add(fingerprint([dataclasses.replace(packed[0], process=process)], nodes["T4"]))
    assert len(seen) == 2 + len(changes)
    assert fingerprint([packed_trial(space, tmp_path)], nodes["T4"]) in seen
    monkeypatch.setenv("SDD_MPS", "1")
    assert fingerprint(packed, nodes["T4"]) not in seen


def test_another_budget_measures_anew_only_where_steps_are_then_compiled(
    space: Callable[..., Path], tmp_path: Path
) -> None:
    packed = packed_trial(space, tmp_path)
    nodes = Nodes((({"CPU": 8.0, "GPU": 1.0, "accelerator_type:T4": 1.0}, 1),), 1)

    def of(trials: int) -> str:
        process = ProcessSettings(gpus=0.5, trials=trials)
        return fingerprint([dataclasses.replace(packed, process=process)], nodes)

    assert of(1) == of(2) == of(7)
    assert of(10**4) == of(10**5)
    assert of(1) != of(10**4)
