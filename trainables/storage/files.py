"""Writes local files so that a reader, or a crash, sees the old content or the new one, whole."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

UMASK = os.umask(0)
os.umask(UMASK)


@contextmanager
def atomically(path: Path, place: Callable[[str, Path], None] = os.replace) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path``; at the block's end it is synced and takes that name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o666 & ~UMASK)  # a temporary file is the owner's alone
            yield file
            file.flush()
            os.fsync(file.fileno())
        place(name, path)
    finally:
        Path(name).unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, see :func:`atomically`."""
    with atomically(path) as file:
        file.write(data)


def write_new(path: Path, data: bytes) -> None:
    """Write ``data`` to ``path``, see :func:`atomically`; a file that is there, or comes meanwhile, stays."""
    with suppress(FileExistsError), atomically(path, _place_new) as file:
        file.write(data)


def _place_new(name: str, path: Path) -> None:
    try:
        os.link(name, path)  # unlike a rename, replaces nothing
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links
        os.replace(name, path)


def to_json(value: Any) -> bytes:
    """Return ``value`` as readable JSON."""
    return (json.dumps(value, indent=1, allow_nan=False) + "\n").encode()


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as readable JSON, atomically."""
    write_atomically(path, to_json(value))


def read_json(path: Path) -> Any | None:
    """Return the JSON in ``path``; None when there is no such file or it is damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
