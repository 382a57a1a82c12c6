"""Keeps blobs in an object store, through pyarrow's file systems: S3 and what speaks like it, GCS, Azure.

Credentials, region and endpoint come from where each SDK looks for them: AWS_ACCESS_KEY_ID,
AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT_URL, a role of the machine; or from the URL
(``s3://bucket/prefix?endpoint_override=host:port&scheme=http``).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from trainables.errors import one_line
from trainables.storage.blobs import StorageError
from trainables.storage.files import write_atomically

T = TypeVar("T")

WAITS_S = (0.5, 1.0, 2.0, 4.0)
"""Seconds before each further attempt; pyarrow itself tries every request three times."""


class ObjectStorage:
    """Keeps blobs as objects of S3, GCS or Azure; an object appears whole, when its upload is complete."""

    def __init__(self, url: str) -> None:
        try:
            from pyarrow import fs
        except ImportError:
            raise StorageError(f"{url}: object stores are read by pyarrow, which is not installed") from None
        self._url = url
        self._selector, self._file = fs.FileSelector, fs.FileType.File
        try:
            self._fs, self._root = fs.FileSystem.from_uri(in_one_put(url))
        except (OSError, ValueError, KeyError) as error:  # an unknown scheme is a ValueError
            raise StorageError(f"cannot open {url}: {one_line(error, part='first')}") from None

    @property
    def url(self) -> str:
        """URL of bucket and prefix, in the form :func:`open_storage` reads."""
        return self._url

    def read(self, name: str) -> bytes:
        """Return the content of a blob; ``FileNotFoundError`` where there is none."""

        where = self._at(name)

        def get() -> bytes:
            while True:
                with self._fs.open_input_file(where) as file:
                    size = file.size()
                    data = bytes(file.read())  # one request; a stream makes many, and may see two contents
                if len(data) < size or self._fs.get_file_info(where).size == size:
                    return data  # else it may be the beginning of a longer one that has come since

        return self._patiently("read", name, get)

    def write(self, name: str, data: bytes) -> None:
        """Make ``data`` the content of a blob, atomically."""

        def put() -> None:
            with self._fs.open_output_stream(self._at(name)) as stream:
                stream.write(data)  # if a part of it fails, so does the close, and no object appears

        def uncut() -> None:
            with ThreadPoolExecutor(1, "upload") as thread:
                thread.submit(put).result()

        self._patiently("write", name, uncut)  # a signal between opening and writing leaves an empty object

    def exists(self, name: str) -> bool:
        """Tell whether there is such a blob."""
        found = self._patiently("read", name, lambda: self._fs.get_file_info(self._at(name)))
        return bool(found.type == self._file)

    def names(self, folder: str) -> list[str]:
        """List the blobs right below ``folder``: last parts of their names, sorted, hidden ones left out."""
        where = self._selector(self._at(folder), allow_not_found=True)
        found = self._patiently("list", folder, lambda: self._fs.get_file_info(where))
        return sorted(info.base_name for info in found if info.type == self._file)

    def delete(self, name: str) -> None:
        """Remove a blob, if it is there."""
        try:
            self._patiently("delete", name, lambda: self._fs.delete_file(self._at(name)))
        except FileNotFoundError:
            return

    @contextmanager
    def lock(self, name: str) -> Iterator[None]:
        """Hold nothing: two processes with the same name write the same content."""
        yield

    def local(self, name: str) -> Path:
        """Return a copy in this machine's cache, fetched once."""
        path = cache_folder(self._url) / name
        if not path.exists():
            try:
                write_atomically(path, self.read(name))
            except FileNotFoundError:
                return path
            except OSError as error:
                raise StorageError(f"cannot write {path}: {error.strerror or error}") from error
        return path

    def scratch(self, name: str) -> Path:
        """Return a folder in this machine's cache."""
        return cache_folder(self._url) / name

    def _at(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _patiently(self, action: str, name: str, attempt: Callable[[], T]) -> T:
        """Make an ``attempt``, and try again, a little later each time: a store may refuse for a moment."""
        for wait in (*WAITS_S, None):
            try:
                return attempt()
            except FileNotFoundError:
                raise
            except OSError as error:
                if wait is None:
                    raise StorageError(
                        f"cannot {action} {self._url}/{name}: {one_line(error, part='first')}"
                    ) from error
                time.sleep(wait)
        raise AssertionError("unreachable")


def in_one_put(url: str) -> str:
    """Return ``url``, for S3 with pyarrow's option to upload up to 10 MB in one request instead of three.

    A process that is killed between the three leaves a part of an object, which nobody sees and S3 bills.

    >>> in_one_put("s3://bucket/runs")
    's3://bucket/runs?allow_delayed_open=true'
    """
    if not url.startswith("s3://") or "allow_delayed_open" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}allow_delayed_open=true"


def cache_folder(url: str) -> Path:
    """Return where this machine keeps blobs of the store at ``url``: below SDD_CACHE or the user's cache."""
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    cache = Path(os.environ.get("SDD_CACHE") or f"{base}/sdd-study").expanduser()
    return cache / hashlib.sha256(url.encode()).hexdigest()[:16]
