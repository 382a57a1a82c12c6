"""Opens a storage by its path or URL, and probes whether it can be used."""

from __future__ import annotations

import re
import uuid
from functools import lru_cache
from pathlib import Path
from urllib.parse import unquote

from trainables.storage.blobs import BlobStorage, StorageError
from trainables.storage.folder import FolderStorage


def open_storage(url: str | Path) -> BlobStorage:
    """Open the storage at a path or URL (``s3://bucket/prefix``, ``gs://``, ``abfs://``); nothing is created.

    >>> open_storage("file:///data/my%20results").url
    '/data/my results'

    Raises:
        StorageError: pyarrow, which reads object stores, is not installed, or cannot read this one.
    """
    text = str(url)
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]+://", text) and not text.startswith("file://"):
        return _object_store(text.rstrip("/"))
    path = unquote(text.removeprefix("file://")) if text.startswith("file://") else text
    return FolderStorage(Path(path).absolute())


@lru_cache(maxsize=16)
def _object_store(url: str) -> BlobStorage:
    from trainables.storage.object_store import ObjectStorage

    return ObjectStorage(url)


def probe(storage: BlobStorage) -> None:
    """Write, list, read and delete a blob, so that a study begins only where its results can be kept.

    Raises:
        StorageError: with what did not go.
    """
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
