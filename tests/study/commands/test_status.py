"""``sdd-study status``: what it says of made journals, while a launcher holds the study and without one."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.journal.journal import read_records
from study.journal.record import TrialRecord
from study.plan.study_file import StudyFile
from study.report.write import write_report
from study.results.loaded_study import SearchGoals
from study.spec import Confirm
from study.spec.methods import SDD
from study.workspace.folder import StudyFolder
from tests.study.commands.conftest import Command
from tests.study.made import config, lines, record, records, search, write_folder

PAIR = ("resnet32x4", "resnet8x4")
ARM = "resnet32x4-resnet8x4/SDD"


def moved(item: TrialRecord, start: float, **fields: Any) -> TrialRecord:
    """The trial as one of a search that began at ``start``."""
    by = start - item.started
    ended = None if item.ended is None else item.ended + by
    return dataclasses.replace(
        item, search=ARM, started=start, ended=ended, times=[when + by for when in item.times], **fields
    )


@pytest.fixture
def study(tmp_path: Path) -> StudyFolder:
    """Two minutes ago a search of 20 trials on 2 devices began: 8 done, 1 stopped, 1 failed, 1 runs."""
    start = time.time() - 120
    trials = [moved(item, start + 5 * n) for n, item in enumerate(search(PAIR, 9))]
    paper = record(
        config(PAIR, SDD(), 0, epochs=4), [{"val/top1": 47.5}] * 4, "search", role="paper", number=3
    )
    broken = record(config(PAIR, SDD(alpha=3.5), 0, epochs=4), [], "search", role="", status="failed")
    open_ = record(
        config(PAIR, SDD(alpha=3.25), 0, epochs=4), [{"val/top1": 33.0}], "search", role="", status="running"
    )
    records = [
        *trials[1:],
        *(moved(item, start + 50 + n) for n, item in enumerate((paper, broken, open_))),
    ]
    journal = write_folder(tmp_path, "made", records)
    spec = json.loads((tmp_path / "made" / "study.json").read_text())
    spec["budget"] = {"trials": 20, "hours": 1.0, "device_hours": 0.5, "target": 60.0, "max_failures": 3}
    (tmp_path / "made" / "study.json").write_text(json.dumps(spec))
    stages = {"teachers": 1, "search": 20, "confirm": 6}
    notes = [
        {"type": "launch", "epochs": dict.fromkeys(stages, 4), "trials": stages, "time": start - 10},
        {"type": "stage", "stage": "teachers", "total": 1, "left": 0, "time": start - 9},
        {"type": "stage", "stage": "search", "total": 20, "left": 20, "time": start - 8},
        {"type": "slots", "slots": 2, "cpus": 1, "gpus": 0, "time": start - 8},
    ]
    text = "".join(json.dumps(line) + "\n" for line in notes)
    remark = {"type": "remark", "key": open_.key, "text": "its process was lost", "time": start + 60}
    journal.write_text(text + journal.read_text() + json.dumps(remark) + "\n")
    return StudyFolder(tmp_path, "made")


def test_while_it_runs(study: StudyFolder, asked: Callable[..., Any]) -> None:
    with study.lock():
        found = asked("status", "made", "--results", study.results)
    assert (found["state"], found["metric"]) == ("running", "val/top1")
    assert found["launcher"]["pid"] > 0
    assert found["trials"] == {"running": 1, "done": 8, "stopped": 1, "failed": 1}
    assert found["stage"] == {"name": "search", "total": 20, "left": 10}
    (running,) = found["running"]
    assert (running["epoch"], running["epochs"], running["value"]) == (1, 4, 33.0)
    (failed,) = found["failed"]
    assert failed["reason"] == "it broke"
    assert found["mended"] == [{"key": running["key"], "text": "its process was lost"}]
    (best,) = found["best"]
    assert best["search"] == ARM
    assert (best["trial"]["value"], best["paper"]["value"]) == (55.0, 47.5)  # of the whole ones
    assert found["budget"]["trials"] == {"used": 10, "limit": 20, "left": 10}
    assert found["budget"]["max_failures"] == {"used": 1, "limit": 3, "left": 2}
    assert found["budget"]["hours"]["used"] == pytest.approx(128 / 3600, abs=30 / 3600)
    assert found["budget"]["device_hours"]["used"] == pytest.approx(30 * 1.5 / 3600)
    assert found["budget"]["target"] == {"used": 55.0, "limit": 60.0, "left": 5.0}
    assert found["seconds_left"] > 0
    spent = found["time"]
    assert spent["total_s"] == pytest.approx(2 * 130, abs=60)
    parts = sum(spent[name] for name in ("train_s", "teacher_s", "evaluate_s"))
    assert parts == 0  # these trials say how long an epoch took, not with what
    assert 0 < spent["utilisation"] < 1


def test_after_its_launcher_was_killed(study: StudyFolder, command: Command) -> None:
    code, out, _ = command("status", "made", "--results", study.results)
    assert code == 0
    assert "made, interrupted" in out
    assert "left open epoch 1/4, 33.00: search resnet32x4-resnet8x4 SD-KD {1,2} alpha 3.25 beta 2" in out
    assert "val/top1 55.00 (the paper's configuration: 47.50)" in out
    assert "trials: 10 of 20, 10 left" in out
    assert "2 trials at once" in out
    assert " left at " not in out, "nothing runs that could be waited for"


def test_a_finished_study_says_what_came_out(tmp_path: Path, command: Command) -> None:
    journal = write_folder(tmp_path / "my results", "made", records())
    with journal.open("a") as file:
        for line in (
            {"type": "launch", "time": 1.0},
            {"type": "stage", "stage": "confirm", "total": 6, "left": 0, "time": 2.0},
            {"type": "leave", "outcome": "done", "time": 3.0},
        ):
            file.write(json.dumps(line) + "\n")
    study = StudyFolder(tmp_path / "my results", "made")
    StudyFile.read(study).with_ends({"pairs/SDD": "budget.trials: 4 of 4 are done"}).write(study)
    _, out, _ = command("status", "made", "--results", study.results)
    assert "no configuration was confirmed" in out, "there is no table yet"
    write_report(study, read_records(journal), Confirm(seeds=3), SearchGoals())
    code, out, _ = command("status", "made", "--results", study.results)
    assert code == 0
    assert "trials to go" not in out
    assert "test top-1, %" in out
    assert "SD-KD (paper)" in out
    assert "74.53 ± 0.18" in out
    assert "pairs/SDD ended: budget.trials: 4 of 4 are done" in out
    assert f"mlflow ui --backend-store-uri 'sqlite:///{study.results}/mlflow.db'" in out
    _, unfinished, _ = command("status", "made", "--results", study.results, "--json")
    assert json.loads(unfinished)["state"] == "finished"


def test_a_watch_ends_when_nothing_runs(study: StudyFolder, command: Command) -> None:
    code, out, _ = command("status", "made", "--results", study.results, "--watch", "0.1")
    assert (code, out.count("made, interrupted")) == (0, 1)


def test_a_study_that_has_only_begun(tmp_path: Path, asked: Callable[..., Any]) -> None:
    write_folder(tmp_path, "new", [])
    found = asked("status", "new", "--results", tmp_path)
    assert (found["state"], found["best"], found["stage"]) == ("interrupted", [], None)
    assert found["time"]["utilisation"] is None


def test_a_line_that_is_being_written_is_left_out(study: StudyFolder, asked: Callable[..., Any]) -> None:
    before = asked("status", "made", "--results", study.results)["trials"]
    line = json.dumps(next(iter(lines(search(PAIR, 1)[0]))))
    with study.journal.open("a") as file:
        file.write(line[:40])
    assert asked("status", "made", "--results", study.results)["trials"] == before
