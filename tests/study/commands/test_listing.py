"""``sdd-study list``, and what every command says of a study that is not there."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.workspace.folder import StudyFolder
from tests.study.commands.conftest import Command
from tests.study.made import failed, search, write_folder

PAIR = ("resnet32x4", "resnet8x4")


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A study with seven done, one stopped, one failed trial, and one that was never launched to its end."""
    first, *rest = search(PAIR, 9)
    write_folder(tmp_path, "whole", [failed(first), *rest])
    journal = write_folder(tmp_path, "begun", [])
    journal.write_text(json.dumps({"type": "launch", "host": "h", "pid": 1, "time": 0.0}) + "\n")
    return tmp_path


def test_each_study_with_its_trials_and_state(results: Path, asked: Callable[..., Any]) -> None:
    with StudyFolder(results, "whole").lock():
        begun, whole = asked("list", "--results", results)
    assert (begun["study"], begun["state"], sum(begun["trials"].values())) == ("begun", "interrupted", 0)
    assert (whole["study"], whole["state"]) == ("whole", "running")
    assert whole["trials"] == {"running": 0, "done": 7, "stopped": 1, "failed": 1}
    assert whole["last_activity"] > begun["last_activity"] == 0
    assert asked("list", "--results", results)[1]["state"] == "finished"


def test_as_text(results: Path, command: Command) -> None:
    code, out, _ = command("list", "--results", results)
    assert code == 0
    head, begun, whole = out.splitlines()
    assert head.split()[:6] == ["study", "state", "running", "done", "stopped", "failed"]
    assert begun.split()[:2] == ["begun", "interrupted"]
    assert whole.split()[:6] == ["whole", "finished", "0", "7", "1", "1"]
    code, out, _ = command("list", "--results", results / "none")
    assert (code, out) == (0, f"no study in {results / 'none'}\n")
    assert not (results / "none").exists()


@pytest.mark.parametrize(
    "arguments", [("stop", "whol"), ("export", "--study", "whol", "--out", "x.csv")], ids=lambda a: a[0]
)
def test_an_unknown_study_is_one_line_with_a_suggestion(
    results: Path, command: Command, arguments: tuple[str, ...]
) -> None:
    code, out, complaint = command(*arguments, "--results", results)
    assert (code, out) == (2, "")
    assert complaint == f"error: no study 'whol' in {results}; did you mean 'whole'?\n"


def test_a_study_that_cannot_be_opened_is_in_nobodys_way(
    results: Path, asked: Callable[..., Any], command: Command
) -> None:
    (results / "begun" / "places.json").write_text('{"store": 5}')
    begun, whole = asked("list", "--results", results)
    assert (begun["state"], whole["state"]) == ("damaged", "finished")
    assert "places.json: store: 5 is no text; move it away" in begun["damage"]
    assert command("status", "whole", "--results", results)[0] == 0
    code, _, complaint = command("status", "begun", "--results", results)
    assert (code, complaint) == (2, f"error: {begun['damage']}\n")


def test_a_file_is_no_results_folder(results: Path, command: Command) -> None:
    file = results / "whole" / "journal.jsonl"
    for arguments in (("list", "--results", file), ("ui", "--results", file)):
        code, out, complaint = command(*arguments)
        assert (code, out) == (2, "")
        assert complaint == f"error: --results: {file} is no folder; name the results folder\n"
