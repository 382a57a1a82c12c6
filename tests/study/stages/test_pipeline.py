"""Stages by themselves: what they need, what they refuse, what a spent budget says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.study.test_launch import launch

Write = Callable[..., Path]


@pytest.mark.parametrize(
    ("stages", "part"),
    [
        ("serch", "--stages: there is no stage 'serch'; did you mean 'search'?"),
        ("search,confirm", "--stages: teacher resnet8 is not trained yet; add the stage teachers"),
    ],
)
def test_wrong_stages_are_one_line_and_leave_nothing(
    space: Write, tmp_path: Path, stages: str, part: str
) -> None:
    done = launch("--space", space(), "--results", tmp_path / "results", "--stages", stages)
    assert (done.returncode, done.stderr) == (2, f"error: {part}\n")
    assert not (tmp_path / "results").exists()


@pytest.mark.ray
@pytest.mark.slow
def test_stages_one_by_one_and_a_budget_of_time(space: Write, tmp_path: Path) -> None:
    common = ("--space", space(), "--results", tmp_path / "results", "--set", "search.stop=None")
    common += ("--set", "training.epochs=4")
    folder = tmp_path / "results" / "small"
    teachers = launch(*common, "--stages", "teachers")
    assert teachers.returncode == 0, teachers.stdout + teachers.stderr
    assert not (folder / "optuna.db").exists()

    short = launch(*common, "--stages", "search", "--set", "budget.device_hours=1e-6")
    assert short.returncode == 0, short.stdout + short.stderr
    assert "search ended: budget.device_hours: " in short.stdout
    lines = [json.loads(line) for line in (folder / "journal.jsonl").read_text().splitlines()]
    stopped = [line for line in lines if line["type"] == "end" and line["status"] == "stopped"]
    assert stopped
    assert all(line["reason"].startswith("budget.device_hours: ") for line in stopped)
    assert json.loads((folder / "study.json").read_text())["ended"]["pairs/SDD"].startswith(
        "budget.device_hours"
    )

    rest = launch(*common, "--stages", "search,confirm,report")
    assert rest.returncode == 0, rest.stdout + rest.stderr
    assert "search ended: budget.trials: 3 of 3 are done" in rest.stdout
    assert (folder / "tables" / "summary.csv").exists()
