"""``sdd-study`` itself: its version, its help, what it says of places that cannot be."""

from __future__ import annotations

import platform
import re
from importlib.metadata import version
from pathlib import Path

import pytest

from study.cli import COMMANDS, installed, main
from study.errors import WRONG_INPUT


def test_the_version_is_the_projects_with_what_it_stands_on(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"sdd-study {version('sdd-study')}"
    assert second.startswith(
        f"Python {platform.python_version()}, torch {version('torch')}, ray {version('ray')}"
    )
    assert installed("sdd-studied") == "is not installed"


def test_the_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    told = capsys.readouterr().out
    assert all(re.search(rf"^    {name}\s", told, re.MULTILINE) for name in COMMANDS)


@pytest.mark.parametrize(
    "words",
    [
        ["status", "mine", "--results", "x" * 300],
        ["stop", "mine", "--results", "x" * 300],
        ["report", "--study", "mine", "--results", "file", "--out", "file/tables"],
        ["list", "--results", "x" * 300],
        ["list", "--results", "file"],
        ["teachers", "list", "--results", "file"],
    ],
    ids=lambda words: f"{words[0]}-{words[-1][:4]}",
)
def test_a_place_that_cannot_be_is_one_line(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert main(words) == WRONG_INPUT
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["status"], "the following arguments are required: NAME; see sdd-study status --help"),
        (
            ["simulate", "mine", "--replays", "0"],
            "--replays: 0 is not 1 or more; see sdd-study simulate --help",
        ),
        (["simulate", "mine", "--seed", "-1"], "--seed: -1 is not 0 or more; see"),
        (["simulate", "mine", "--trials", "x"], "--trials: 'x' is no whole number; see"),
        (["status", "--watch", "mine"], "--watch: 'mine' is no number; see sdd-study status"),
        (["status", "mine", "--watch", "inf"], "--watch: inf is not above 0, or not finite; see"),
        (["ui", "--port", "70000"], "--port: 70000 is not from 0 to 65535; see"),
        (["launch", "--spice", "x"], "the following arguments are required: --space; see sdd-study launch"),
    ],
)
def test_what_cannot_be_parsed_is_one_line(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(words)
    assert left.value.code == WRONG_INPUT
    said = capsys.readouterr().err
    assert said.startswith(f"error: {complaint}")
    assert said.count("\n") == 1
