"""Results folders with made studies, and the command as a user types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.cli import main

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs ``sdd-study`` with arguments; returns the exit code and what it printed and complained of."""

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as ended:  # argparse's way
            code = int(ended.code or 0)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def asked(command: Command) -> Callable[..., Any]:
    """The JSON answer of a command that succeeds."""

    def run(*arguments: str | Path) -> Any:
        code, out, complaint = command(*arguments, "--json")
        assert (code, complaint) == (0, "")
        return json.loads(out)

    return run
