"""``sdd-study`` itself: its version, its help."""

from __future__ import annotations

import platform
import re
from importlib.metadata import version

import pytest

from study.cli import COMMANDS, installed, main


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
