"""``sdd-study stop`` ends the launcher, from this host by a signal, from elsewhere by a file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from study.commands.stop import stop
from study.workspace.folder import StudyFolder
from study.workspace.lock import LockOwner
from tests.study.commands.conftest import Command
from tests.study.workspace.test_lock import holder


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    folder = StudyFolder(tmp_path, "held")
    folder.path.mkdir()
    (folder.path / "study.json").write_text("{}")
    return folder


@pytest.fixture
def running(folder: StudyFolder) -> Any:
    process: Popen[str] = holder(folder)
    yield process
    process.kill()
    process.communicate()


def test_the_launcher_ends_and_a_second_stop_finds_none(
    folder: StudyFolder, running: Popen[str], asked: Callable[..., Any]
) -> None:
    found = asked("stop", "held", "--results", folder.results)
    assert found["seconds"] < 10
    assert {name: found[name] for name in ("stopped", "running", "pid")} == {
        "stopped": True,
        "running": False,
        "pid": running.pid,
    }
    assert running.wait(5) == 130
    again = asked("stop", "held", "--results", folder.results)
    assert (again["stopped"], again["running"], again["pid"]) == (False, False, None)


def test_one_on_another_host_is_asked_by_a_file(folder: StudyFolder, running: Popen[str]) -> None:
    owner = folder.launcher()
    assert owner is not None
    elsewhere = LockOwner("another-host", owner.pid, owner.pid_space, owner.since, owner.command)
    lock = folder.path / ".lock"
    lock.write_text(json.dumps({**json.loads(lock.read_text()), "host": "another-host"}))
    assert stop(folder, elsewhere, 10.0)
    assert running.wait(5) == 130
    assert not folder.stop_request.exists()


def test_one_that_does_not_end_in_time_is_told(folder: StudyFolder, command: Command) -> None:
    stubborn = (
        "import signal, sys, time; from pathlib import Path; from study.workspace.folder import StudyFolder\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "with StudyFolder(Path(sys.argv[1]), 'held').lock(): print(flush=True); time.sleep(60)"
    )
    with Popen([sys.executable, "-c", stubborn, str(folder.results)], stdout=-1, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        code, out, _ = command("stop", "held", "--results", folder.results, "--timeout", "0.3")
        process.kill()
    assert code == 3
    assert f"asked; process {process.pid} on " in out
