"""The scripts of cluster/ that nodes run, where they need no cluster."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
from pathlib import Path

CLUSTER = Path(__file__).parents[2] / "cluster"


def stage(source: Path, target: Path) -> str:
    done = subprocess.run(
        [sys.executable, str(CLUSTER / "stage.py"), str(source), str(target)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_data_are_staged_once_and_what_changed_again(tmp_path: Path) -> None:
    source, target = tmp_path / "bucket", tmp_path / "data"
    (source / "cub").mkdir(parents=True)
    (source / "cub" / "list.txt").write_text("one")
    (source / "cub" / "image.png").write_text("picture")
    assert "2 files" in stage(source, target)
    assert (target / "cub" / "list.txt").read_text() == "one"
    assert "0 files" in stage(source, target)
    (source / "cub" / "list.txt").write_text("another")
    assert "1 files" in stage(source, target)
    assert (target / "cub" / "list.txt").read_text() == "another"


def test_an_archive_is_unpacked_beside_where_it_lies(tmp_path: Path) -> None:
    source, target = tmp_path / "bucket", tmp_path / "data"
    source.mkdir()
    (tmp_path / "meta").write_text("classes")
    with tarfile.open(source / "set.tar", "w") as archive:
        archive.add(tmp_path / "meta", "set/meta")
    stage(source, target)
    assert (target / "set" / "meta").read_text() == "classes"
    assert [path.name for path in target.iterdir() if path.suffix in (".tar", ".part")] == []


def mps(tmp_path: Path, daemon: str | None, allowed: str = "1") -> tuple[str, list[str]]:
    """What mps.sh says beside a control daemon that is the script ``daemon``, and how that was called."""
    programs, calls = tmp_path / "bin", tmp_path / "calls"
    programs.mkdir(exist_ok=True)
    if daemon is not None:
        program = programs / "nvidia-cuda-mps-control"
        program.write_text(f'#!/bin/sh\necho "control $*" >> {calls}\n{daemon}\n')
        program.chmod(0o755)
    done = subprocess.run(
        ["bash", str(CLUSTER / "mps.sh")],
        env={
            "PATH": f"{programs}:/usr/bin:/bin",
            "SDD_MPS": allowed,
            "CUDA_MPS_PIPE_DIRECTORY": str(tmp_path),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, calls.read_text().splitlines() if calls.exists() else []


def test_trials_share_a_gpu_at_once_where_that_is_allowed(tmp_path: Path) -> None:
    said, calls = mps(tmp_path, "exit 0")
    assert said == "trials share a GPU by NVIDIA's Multi-Process Service\n"
    assert calls == ["control -d"]
    os.mkfifo(tmp_path / "control")  # as a daemon that runs has it
    assert mps(tmp_path, "exit 0") == ("", ["control -d", "control "])


def test_no_service_is_started_unasked(tmp_path: Path) -> None:
    assert mps(tmp_path, "exit 0", allowed="") == ("", [])


def test_a_node_without_the_service_starts_all_the_same_and_says_why(tmp_path: Path) -> None:
    said, _ = mps(tmp_path, None)
    assert said == "SDD_MPS=1, and nvidia-cuda-mps-control is not there: trials share a GPU by turns\n"
    said, calls = mps(tmp_path, "echo no permission; exit 1")
    assert (
        said == "NVIDIA's Multi-Process Service does not start, trials share a GPU by turns: no permission\n"
    )
    assert calls == ["control -d"]


def test_without_a_notice_there_is_none() -> None:
    line = f"import sys; sys.path.insert(0, {str(CLUSTER)!r}); import spot; spot.IMDS = 'http://127.0.0.1:9'"
    done = subprocess.run(
        [sys.executable, "-c", f"{line}; print(spot.notice())"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "None\n"
