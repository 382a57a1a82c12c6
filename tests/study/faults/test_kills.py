"""Processes are killed for real, and the next launch goes on: nothing kept is trained again, nothing is lost.

What is killed in turn: a trial's process, the launcher, Ray's raylet and its GCS. The trials of the study are
fixed beforehand, so that it has to end as one that nobody disturbed: the same trials, the same numbers of
every epoch to the last bit, the same table.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.study.faults.killing import Study, kill, reports, same

INTERRUPTED = 130
ENDED_BY_RAY = 1
"""Ray ends a process whose raylet is gone on its next call, unless the launcher notices first."""

Process = subprocess.Popen[str]


@pytest.mark.slow
@pytest.mark.ray
def test_a_killed_trial_goes_on_by_itself(undisturbed: Study, tmp_path: Path) -> None:
    study = Study(tmp_path)
    launcher = study.start()
    study.wait_for(lambda lines: reports(lines, "search") >= 3, launcher)
    kill(launcher.pid, "ray::ImplicitFunc.train")
    assert study.end(launcher) == 0, study.printed
    assert "its process was lost; it goes on from its last checkpoint" in study.printed
    assert "(raylet)" not in study.printed
    assert [line["type"] for line in study.journal].count("remark") == 1
    assert same(study, undisturbed)


def the_launcher(launcher: Process) -> None:
    launcher.kill()


def the_raylet(launcher: Process) -> None:
    kill(launcher.pid, "raylet/raylet ")


def the_gcs(launcher: Process) -> None:
    kill(launcher.pid, "gcs_server")


def politely(launcher: Process) -> None:
    launcher.terminate()


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize(
    ("harm", "stage", "codes"),
    [
        (the_launcher, "search", {-signal.SIGKILL}),
        (politely, "confirm", {INTERRUPTED}),
        (the_raylet, "teachers", {ENDED_BY_RAY, INTERRUPTED}),
        (the_gcs, "search", {INTERRUPTED}),
    ],
)
def test_the_next_launch_goes_on(
    undisturbed: Study, tmp_path: Path, harm: Callable[[Process], None], stage: str, codes: set[int]
) -> None:
    study = Study(tmp_path)
    launcher = study.start()
    study.wait_for(lambda lines: reports(lines, stage) >= 2, launcher)
    harm(launcher)
    assert study.end(launcher) in codes, study.printed
    assert study.run() == 0, study.printed
    assert same(study, undisturbed)
