"""The scripts of cluster/ that nodes run, where they need no cluster."""

from __future__ import annotations

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


def test_without_a_notice_there_is_none() -> None:
    line = f"import sys; sys.path.insert(0, {str(CLUSTER)!r}); import spot; spot.IMDS = 'http://127.0.0.1:9'"
    done = subprocess.run(
        [sys.executable, "-c", f"{line}; print(spot.notice())"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "None\n"
