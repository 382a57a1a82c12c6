"""Keeps blobs as files of a folder, which needs no service and can be looked at."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from trainables.storage.blobs import StorageError
from trainables.storage.files import write_atomically


class FolderStorage:
    """Keeps blobs as files of a folder: of this machine, or one that several mount (NFS).

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as root:
    ...     storage = FolderStorage(Path(root))
    ...     storage.write("runs/one/result.json", b"{}")
    ...     storage.names("runs/one")
    ['result.json']
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def url(self) -> str:
        """Path of the folder."""
        return str(self.root)

    def read(self, name: str) -> bytes:
        """Return the content of a blob; ``FileNotFoundError`` where there is none."""
        with _named("read", self.root / name):
            return (self.root / name).read_bytes()

    def write(self, name: str, data: bytes) -> None:
        """Make ``data`` the content of a blob, atomically."""
        with _named("write", self.root / name):
            write_atomically(self.root / name, data)

    def exists(self, name: str) -> bool:
        """Tell whether there is such a blob."""
        return (self.root / name).is_file()

    def names(self, folder: str) -> list[str]:
        """List the blobs right below ``folder``: last parts of their names, sorted, hidden ones left out."""
        with _named("list", self.root / folder):
            try:
                found = [entry.name for entry in os.scandir(self.root / folder) if entry.is_file()]
            except FileNotFoundError:
                return []
            return sorted(name for name in found if not name.startswith("."))

    def delete(self, name: str) -> None:
        """Remove a blob, if it is there."""
        with _named("delete", self.root / name):
            (self.root / name).unlink(missing_ok=True)

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold a name; others that ask for it wait, and a killed process lets go.

        Who holds it alone may write blobs right below it: temporary files that are there when it is taken
        are a killed writer's, and are deleted.
        """
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
        """Return the blob's own file."""
        return self.root / name

    def scratch(self, name: str) -> Path:
        """Return a folder of that name beside the blobs, so that all who mount it share what was made."""
        return self.root / name


@contextmanager
def _named(action: str, path: Path) -> Iterator[None]:
    """Turn an error of the file system into one that says what was tried."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StorageError(f"cannot {action} {path}: {error.strerror or error}") from error
