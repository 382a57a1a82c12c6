"""Each benchmark's command runs, on made data and tiny networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks import epoch, loss, machine, profile, reproduce, step, teacher
from trainables.losses import logit_loss_names

TINY = "resnet8-resnet8"


@pytest.fixture(autouse=True)
def _tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(step.PAIRS, TINY, (1, 2))


def result_of(path: Path) -> list[dict[str, Any]]:
    result: dict[str, Any] = json.loads(path.read_text())
    assert {"machine", "results"} <= result.keys()
    assert {"cpu", "cores", "threads", "torch", "python", "date"} <= result["machine"].keys()
    rows: list[dict[str, Any]] = result["results"]
    return rows


def test_step(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "step.json"
    options = f"--pairs {TINY} --images 256 --steps 2 --rounds 2 --workers 0 --engine eager --json {path}"
    step.run(step.parser().parse_args(options.split()))
    (result,) = result_of(path)
    assert result["reference_ms"]["n"] == result["live_ms"]["n"] == result["remembered_ms"]["n"] == 2
    assert result["live_times_faster"] > 0
    assert TINY in capsys.readouterr().out


def test_profile(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, threads = tmp_path / "profile.json", torch.get_num_threads()
    options = f"--pairs {TINY} --rounds 1 --precision float32 --engine eager --json {path}"
    try:
        profile.run(profile.parser().parse_args(options.split()))
    finally:
        torch.set_num_threads(threads)
    (result,) = result_of(path)
    for way in ("live", "remembered"):
        assert sum(result[way]["kinds"].values()) == pytest.approx(1)
        assert 0 < result[way]["of_the_matrix_rate"] < result[way]["products_of_the_matrix_rate"]
        assert result[way]["kinds"]["convolutions, gradients"] > 0
    assert f"| {TINY} |" in capsys.readouterr().out


def test_loss(tmp_path: Path) -> None:
    path = tmp_path / "loss.json"
    options = f"--classes 10 --regions 1 5 --repeats 2 --no-compiled --json {path}"
    loss.run(loss.parser().parse_args(options.split()))
    assert [(r["classes"], r["regions"]) for r in result_of(path)] == [(10, 1), (10, 5)]


def test_every_loss_beside_kd(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "losses.json"
    options = f"--losses --classes 10 --regions 1 5 --repeats 2 --no-compiled --json {path}"
    loss.run(loss.parser().parse_args(options.split()))
    for result in result_of(path):
        assert {f"{name}_us" for name in (*logit_loss_names(), "kd+LS")} <= result.keys()
    shown = capsys.readouterr().out
    assert "| kd | 1 | 1 |" in shown
    assert "| rld |" in shown


def test_epoch(tmp_path: Path) -> None:
    path = tmp_path / "epoch.json"
    options = f"--pair {TINY} --images 128 --evaluated 20 --epochs 1 --engine eager --json {path}"
    epoch.run(epoch.parser().parse_args(options.split()))
    first, again = result_of(path)
    assert first["time/teacher_s"] > again["time/teacher_s"]
    assert again["epoch"] == "remembered"


def test_reproduction_goes_on_where_it_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(reproduce, "TEACHER", "resnet8")
    monkeypatch.setattr(reproduce, "STUDENT", "wrn_10_1")
    monkeypatch.setattr(reproduce, "SEEDS", 1)
    monkeypatch.setitem(reproduce.PAPER, "resnet8", 79.42)
    monkeypatch.setattr(reproduce, "benchmarks", lambda *_, **__: None)
    random = np.random.default_rng(0)
    np.savez(
        tmp_path / "set.npz",
        train_images=random.integers(0, 256, (128, 32, 32, 3), dtype=np.uint8),
        train_labels=np.arange(128) % 4,
        test_images=random.integers(0, 256, (20, 32, 32, 3), dtype=np.uint8),
        test_labels=np.arange(20) % 4,
        classes=np.array(["a", "b", "c", "d"]),
    )
    command = f"--data {tmp_path / 'set.npz'} --out {tmp_path / 'out'} --epochs 1 --precision float32"
    assert reproduce.main([*command.split(), "--minutes", "0"]) == 130
    first = json.loads((tmp_path / "out/results.json").read_text())["results"]
    assert [row["run"] for row in first] == ["resnet8"]
    assert reproduce.main([*command.split(), "--minutes", "5"]) == 0
    rows = json.loads((tmp_path / "out/results.json").read_text())["results"]
    assert [row["run"] for row in rows] == ["resnet8", "KD", "SD-KD"]
    assert rows[0] == first[0]
    assert [row["paper"] for row in rows] == [79.42, 73.33, 75.6]
    assert (tmp_path / "out/curve-SD-KD-0.csv").exists()
    assert "best test epoch" in capsys.readouterr().out


def test_tables_and_summaries() -> None:
    assert machine.table([{"a": 1.2345, "b": None}]) == "| a | b |\n| --- | --- |\n| 1.23 |  |"
    assert machine.summary([3.0, 1.0, 2.0]) == {"n": 3, "median": 2.0, "min": 1.0, "max": 3.0}


def test_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "compile", lambda function, **_: function)  # compiling it takes a minute
    path = tmp_path / "teacher.json"
    options = f"--networks resnet8 --rounds 2 --precision float32 --json {path}"
    teacher.run(teacher.parser().parse_args(options.split()))
    (result,) = result_of(path)
    assert result["frozen_ms"]["n"] == result["compiled_cpu_ms"]["n"] == 2
    assert result["frozen_differs_by"] == 0
