"""Room for remembered outputs, and what becomes of those of earlier versions."""

from __future__ import annotations

import json
from pathlib import Path

from trainables.teacher.cache_policy import FORMAT, drop_outdated


def write(folder: Path, name: str, written: object) -> None:
    for suffix in (".rows", ".cells", ".marks"):
        (folder / f"{name}{suffix}").write_bytes(b"x" * 100_000)
    (folder / f"{name}.json").write_text(json.dumps({"format": written}))


def test_files_of_earlier_formats_are_deleted_and_told_once(tmp_path: Path) -> None:
    for name, written in (("old", FORMAT - 1), ("this", FORMAT), ("later", FORMAT + 1), ("odd", "x")):
        write(tmp_path, name, written)
    (tmp_path / "old.rows").unlink()  # earlier formats had none
    said: list[str] = []
    for _ in range(2):
        drop_outdated(tmp_path, said.append)
    assert {path.stem for path in tmp_path.iterdir()} == {"this", "later", "odd"}
    assert len(said) == 1
    assert said[0].startswith("deleted 0 MiB of teacher outputs remembered by an earlier version")


def test_without_a_folder_there_is_nothing_to_do(tmp_path: Path) -> None:
    said: list[str] = []
    drop_outdated(tmp_path / "none", said.append)
    assert said == []
