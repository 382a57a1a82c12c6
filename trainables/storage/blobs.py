"""Names what a storage of blobs of bytes can do: a folder, local or mounted, or an object store.

A blob has a name, parts of it separated by ``/``, and is read and replaced whole. Both kinds keep to one
contract, which ``tests/trainables/storage/test_blobs.py`` holds:

- a write is atomic: a reader, or a crash, sees the old content or the new one, whole;
- what cannot be read or written is a :class:`StorageError` with the name and the reason; only a blob that is
  not there is a ``FileNotFoundError``;
- deleting what is not there is no error.

A folder has locks. An object store has none: two processes that hold the same name write the same content
(see ``trainables/storage/run_store.py``), and the later write of it is harmless.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from trainables.errors import SDDError


class StorageError(SDDError):
    """Says why a storage cannot be read or written: full, away, not allowed; what was there is whole.

    >>> from trainables.storage.folder import FolderStorage
    >>> FolderStorage(Path("/dev/null")).read("runs/one/result.json")
    Traceback (most recent call last):
    trainables.storage.blobs.StorageError: cannot read /dev/null/runs/one/result.json: Not a directory
    """


class BlobStorage(Protocol):
    """Keeps blobs of bytes under names, in a tree; what every storage can do."""

    @property
    def url(self) -> str:
        """Path or URL of the storage, in the form :func:`open_storage` reads."""

    def read(self, name: str) -> bytes:
        """Return the content of a blob; ``FileNotFoundError`` where there is none."""

    def write(self, name: str, data: bytes) -> None:
        """Make ``data`` the content of a blob, atomically."""

    def exists(self, name: str) -> bool:
        """Tell whether there is such a blob."""

    def names(self, folder: str) -> list[str]:
        """List the blobs right below ``folder``: last parts of their names, sorted, hidden ones left out."""

    def delete(self, name: str) -> None:
        """Remove a blob, if it is there."""

    def lock(self, name: str) -> AbstractContextManager[None]:
        """Hold a name where the storage can; others that ask for it wait. A killed process lets go.

        What is right below a name that is ever held is written by its holder alone.
        """

    def local(self, name: str) -> Path:
        """Return a file of this machine that has a blob's content, for good; missing where the blob is."""

    def scratch(self, name: str) -> Path:
        """Return a folder of this machine, or as near as there is, for what can be made again."""
