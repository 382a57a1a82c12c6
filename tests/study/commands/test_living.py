"""A study that is looked at, steered, stopped and gone on with, from another shell, as a user would."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.journal.journal import read_records
from study.loading import load_space
from study.plan.resolve import resolve
from tests.study.test_launch import command as launch_command
from tests.study.test_launch import environment
from trainables.config import Teacher

Ask = Callable[..., Any]


def until(asked: Ask, results: Path, holds: Callable[[Any], bool], seconds: float = 420) -> Any:
    """The status once it is as wanted."""
    deadline = time.monotonic() + seconds
    while True:
        if (results / "small" / "journal.jsonl").exists():
            now = asked("status", "small", "--results", results)
            if holds(now):
                return now
        assert time.monotonic() < deadline, now
        time.sleep(0.5)


@pytest.mark.slow
@pytest.mark.ray
def test_a_study_is_watched_steered_stopped_and_gone_on_with(
    space: Callable[..., Path], tmp_path: Path, asked: Ask
) -> None:
    results = tmp_path / "results"
    file = space(**{"epochs=2": "epochs=8", "ASHA(grace=1, reduction=2)": "None"})
    where = ("--results", results)
    with subprocess.Popen(
        launch_command("--space", file, *where), env=environment(), stdout=subprocess.PIPE, text=True
    ) as process:
        now = until(asked, results, lambda now: now["stage"] and now["stage"]["name"] == "search")
        assert (now["state"], now["launcher"]["pid"]) == ("running", process.pid)
        now = until(asked, results, lambda now: any(trial["epoch"] >= 2 for trial in now["running"]))
        assert now["seconds_left"] > 0
        assert now["budget"]["trials"]["limit"] == 3
        settings = ("--set", "alpha=3.5", "--set", "scales=1,2", "--set", "base=kd")
        queued = asked("enqueue", "small", *settings, "--pair", "resnet8-resnet8", *where)
        assert queued["taken"] == "now"
        assert asked("list", *where)[0]["state"] == "running"
        assert asked("stop", "small", *where)["stopped"]
        out, _ = process.communicate(timeout=120)
    assert process.returncode == 130, out
    now = asked("status", "small", *where)
    assert (now["state"], now["launcher"]) == ("interrupted", None)
    assert now["running"], "what it had begun is left open"

    done = subprocess.run(
        launch_command("--space", file, *where),
        env=environment(),
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    now = asked("status", "small", *where)
    assert (now["state"], now["running"], now["failed"]) == ("finished", [], [])
    records = read_records(results / "small" / "journal.jsonl")
    searched = [item for item in records.values() if item.stage == "search"]
    assert len(searched) == 4, "three of the budget, and the one by hand"
    (mine,) = [item for item in searched if item.config["method"]["logit"]["alpha"] == 3.5]
    assert (mine.pair, mine.status) == ("resnet8-resnet8", "done")
    assert now["budget"]["trials"] == {"used": 3, "limit": 3, "left": 0}
    spent = now["time"]
    assert 0 < spent["utilisation"] < 1
    parts = sum(spent[name] for name in ("train_s", "teacher_s", "evaluate_s", "compile_s", "idle_s"))
    assert parts == pytest.approx(spent["total_s"], rel=0.01)

    pinned = asked("pin", "small", *where)
    (tmp_path / "best.py").write_text(pinned["space"])
    plan = resolve(load_space(tmp_path / "best.py"))
    (pair,), (method,) = plan.spec.pairs, plan.spec.methods
    teacher = Teacher(**records[pinned["trial"]].config["teacher"])
    config = plan.fixed_config(pair, method, teacher)
    assert config.trial_key == pinned["trial"]
    known = {item.key for item in records.values() if item.stage == "confirm"}
    assert {trial.key for trial in plan.confirm_trials(config, pair.label, "best")} <= known
    again = subprocess.run(
        [sys.executable, "-m", "study.cli", "compare", "small", "small2", *map(str, where), "--json"],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (again.returncode, json.loads(again.stdout or "null")) == (2, None)
    assert "did you mean 'small'?" in again.stderr
