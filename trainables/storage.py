"""Where blobs of bytes lie: a folder of this machine or of the network, or an object store.

A blob has a name, parts of it separated by ``/``, and is read and replaced whole. Both kinds keep to one
contract, which ``tests/trainables/test_storage.py`` holds:

- a write is atomic: a reader, or a crash, sees the old content or the new one, whole;
- what cannot be read or written is a :class:`StorageError` with the name and the reason; only a blob that is
  not there is a ``FileNotFoundError``;
- deleting what is not there is no error.

A folder has locks. An object store has none: two processes that hold the same name write the same content
(see :mod:`trainables.store`), and the later write of it is harmless.
"""

from __future__ import annotations

import fcntl
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from trainables.files import write_atomically


class StorageError(Exception):
    """A place cannot be read or written: full, away, or not allowed; what was there before is whole."""


class Storage(Protocol):
    """A tree of blobs."""

    @property
    def url(self) -> str:
        """Where it is, in the form :func:`open_storage` reads."""

    def read(self, name: str) -> bytes:
        """The content of a blob; ``FileNotFoundError`` where there is none."""

    def write(self, name: str, data: bytes) -> None:
        """Make ``data`` the content of a blob, atomically."""

    def exists(self, name: str) -> bool:
        """Whether there is such a blob."""

    def names(self, folder: str) -> list[str]:
        """The blobs right below ``folder``, by the last part of their names, sorted; hidden ones left out."""

    def delete(self, name: str) -> None:
        """Remove a blob, if it is there."""

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold a name where the storage can; others that ask for it wait. A killed process lets go."""

    def local(self, name: str) -> Path:
        """A file of this machine with the content of a blob that never changes; missing where the blob is."""

    def scratch(self, name: str) -> Path:
        """A folder of this machine, or as near as there is, for what can be made again."""


class Folder:
    """A folder: of this machine, or one that several mount (NFS)."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def url(self) -> str:
        """Its path."""
        return str(self.root)

    def read(self, name: str) -> bytes:
        """See :class:`Storage`."""
        with _named("read", self.root / name):
            return (self.root / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """See :class:`Storage`."""
        with _named("write", self.root / name):
            write_atomically(self.root / name, data)

    def exists(self, name: str) -> bool:
        """See :class:`Storage`."""
        return (self.root / name).is_file()

    def names(self, folder: str) -> list[str]:
        """See :class:`Storage`."""
        with _named("list", self.root / folder):
            if not (self.root / folder).is_dir():
                return []
            found = [entry.name for entry in os.scandir(self.root / folder) if entry.is_file()]
            return sorted(name for name in found if not name.startswith("."))

    def delete(self, name: str) -> None:
        """See :class:`Storage`."""
        with _named("delete", self.root / name):
            (self.root / name).unlink(missing_ok=True)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """See :class:`Storage`."""
        path = self.root / name / ".lock"
        with _named("lock", path):
            path.parent.mkdir(parents=True, exist_ok=True)
            file = path.open("w")
        with file:
            fcntl.flock(file, fcntl.LOCK_EX)
            for torn in path.parent.glob(".*.*"):  # of a writer that was killed
                torn.unlink(missing_ok=True)
            yield

    def local(self, name: str) -> Path:
        """The blob's own file."""
        return self.root / name

    def scratch(self, name: str) -> Path:
        """A folder of that name beside the blobs, so that all who mount it share what was made."""
        return self.root / name


def open_storage(url: str | Path) -> Storage:
    """The storage at a path, or at the URL of an object store (``s3://bucket/prefix``, ``gs://``, ``abfs://``).

    Raises:
        StorageError: pyarrow, which reads object stores, is not installed, or cannot read this one.
    """
    text = str(url)
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", text) and not text.startswith("file://"):
        return _object_store(text.rstrip("/"))
    return Folder(Path(text.removeprefix("file://")).absolute())


@lru_cache(maxsize=16)
def _object_store(url: str) -> Storage:
    from trainables.object_store import ObjectStore

    return ObjectStore(url)


def probe(storage: Storage) -> None:
    """Write, list, read and delete a blob; raises :class:`StorageError` with what did not go."""
    name = f"probe-{uuid.uuid4().hex}"
    try:
        storage.write(name, name.encode())
        if name not in storage.names(""):
            raise StorageError(f"{storage.url}: what was written is not listed")
        if storage.read(name) != name.encode():
            raise StorageError(f"{storage.url}: what was written is not what is read")
        storage.delete(name)
    except FileNotFoundError:
        raise StorageError(f"{storage.url}: what was written is not found") from None


@contextmanager
def _named(action: str, path: Path) -> Iterator[None]:
    """Turn an error of the file system into one that says what was tried."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(f"cannot {action} {path}: {error.strerror or error}") from error
