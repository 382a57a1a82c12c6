"""Where runs and teachers are filed: by what they are, so that every study finds what any other has done.

STORE/runs/<trial_key>/   config.json  checkpoint.pt  checkpoint.previous.pt  student.pt  result.json
STORE/teachers/<sha256>.pt, .json         weights and what they are, filed under the hash of the weights
STORE/teachers/<sha256>.views/            its outputs, remembered; see ``trainables.remembering``
"""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainables.config import TrialConfig

UMASK = os.umask(0)
os.umask(UMASK)


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path`` so that a reader, or a crash, sees the old file or the new one, whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o666 & ~UMASK)  # a temporary file is the owner's alone
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as readable JSON, atomically."""
    write_atomically(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def read_json(path: Path) -> Any | None:
    """The JSON in ``path``; None when there is no such file or it is damaged."""
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class RunFolder:
    """The folder of one trial key."""

    path: Path

    @property
    def checkpoint(self) -> Path:
        """Training state after the last epoch that was saved; see ``trainables.checkpoint``."""
        return self.path / "checkpoint.pt"

    @property
    def student(self) -> Path:
        """Weights of the trained student: ``{"model": state_dict, "name": ..., "num_classes": ...}``."""
        return self.path / "student.pt"

    def result(self) -> dict[str, Any] | None:
        """The record of a finished run: its configuration, metrics of every epoch, hash of the weights."""
        result: dict[str, Any] | None = read_json(self.path / "result.json")
        return result

    def save_student(self, data: bytes) -> None:
        """File the trained student."""
        write_atomically(self.student, data)

    def finish(self, result: Mapping[str, Any]) -> None:
        """File the record that makes the run finished, and drop what only an unfinished run needs."""
        write_json(self.path / "result.json", result)
        for path in self.path.glob("checkpoint*.pt"):
            path.unlink(missing_ok=True)

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the folder; another process that runs the same key waits. A killed process lets go of it."""
        self.path.mkdir(parents=True, exist_ok=True)
        with (self.path / ".lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@dataclass(frozen=True, slots=True)
class Store:
    """All runs and teachers under one root, shared by the studies that use it."""

    root: Path

    def run(self, key: str) -> RunFolder:
        """The folder of trial ``key``; nothing is created."""
        return RunFolder(self.root / "runs" / key)

    def open_run(self, config: TrialConfig) -> RunFolder:
        """The folder of ``config``, with its resolved configuration in it."""
        folder = self.run(config.trial_key)
        if not (folder.path / "config.json").exists():
            write_json(folder.path / "config.json", config.to_dict())
        return folder

    def teacher(self, weights: str) -> Path:
        """File of the teacher whose weights hash to ``weights``."""
        return self.root / "teachers" / f"{weights}.pt"

    def teacher_views(self, weights: str) -> Path:
        """Folder of what that teacher said of augmented views."""
        return self.root / "teachers" / f"{weights}.views"

    def file_teacher(self, weights: str, data: bytes, about: Mapping[str, Any]) -> Path:
        """File a teacher's weights file under their hash, with what is known ``about`` them beside it."""
        path = self.teacher(weights)
        if not path.exists():
            write_atomically(path, data)
        write_json(path.with_suffix(".json"), {**(read_json(path.with_suffix(".json")) or {}), **about})
        return path

    def teachers(self) -> list[dict[str, Any]]:
        """What is known about each filed teacher."""
        paths = sorted((self.root / "teachers").glob("*.json"))
        return [about for path in paths if (about := read_json(path)) is not None]
