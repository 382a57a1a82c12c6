"""Who holds a study, as another process sees it, and how it is asked to stop."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from study.errors import StudyBusy
from study.workspace.folder import StudyFolder

HOLD = """
import signal, sys, time
from pathlib import Path
from study.workspace.folder import StudyFolder
from study.workspace.lock import listening

def end(*_):
    print("asked", flush=True)
    sys.exit(130)

signal.signal(signal.SIGTERM, end)
folder = StudyFolder(Path(sys.argv[1]), "held")
with folder.lock(), listening(folder.stop_request):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    return StudyFolder(tmp_path, "held")


def holder(folder: StudyFolder) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder.results)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_nobody_holds_a_study_that_was_never_run_or_let_go_of(folder: StudyFolder) -> None:
    assert folder.launcher() is None
    with folder.lock():
        pass
    assert folder.launcher() is None


def test_another_process_sees_who_holds_it_until_it_is_killed(folder: StudyFolder) -> None:
    process = holder(folder)
    try:
        found = folder.launcher()
        assert found is not None
        assert (found.pid, found.here) == (process.pid, True)
        assert found.since == pytest.approx(time.time(), abs=60)
        with pytest.raises(StudyBusy, match=rf"process {process.pid}\); wait for it, stop it"), folder.lock():
            pass
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert folder.launcher() is None
    with folder.lock():
        owner = folder.launcher()
    assert owner is not None
    assert owner.pid == os.getpid()


def test_a_stop_request_interrupts_its_holder_and_is_used_up(folder: StudyFolder) -> None:
    folder.path.mkdir()
    folder.stop_request.touch()  # of an earlier launch
    process = holder(folder)
    time.sleep(1.5)
    assert process.poll() is None
    folder.stop_request.touch()
    out, _ = process.communicate(timeout=10)
    assert (out, process.returncode) == ("asked\n", 130)
    assert not folder.stop_request.exists()
