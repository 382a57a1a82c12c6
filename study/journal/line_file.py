"""Appends whole lines to a file, whatever a crash or a full disk made of the one before."""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path

from study.errors import StudyHalted

BLOCK = 1 << 16
"""Bytes read at once to find where the last whole line ends."""


class LineFile:
    """Appends lines to the file at ``path``, each on disk when :meth:`append` returns.

    Nothing is opened or made before the first of them, so that a launch that is refused leaves all as it was.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "journal.jsonl")
    ...     _ = path.write_bytes(b"first\\nsec")
    ...     file = LineFile(path)
    ...     file.append(b"second\\n")
    ...     file.close()
    ...     path.read_bytes()
    b'first\\nsecond\\n'
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: FileIO | None = None
        self._size = 0

    def append(self, line: bytes) -> None:
        """Append a line.

        Raises:
            StudyHalted: the disk is full or gone; nothing of the line is in the file.
        """
        file = self._opened()
        try:
            written = 0
            while written < len(line):  # a disk that is nearly full takes a part, then refuses
                written += file.write(line[written:])
            os.fsync(file.fileno())
        except OSError as error:
            file.truncate(self._size)
            raise StudyHalted(f"cannot write {self.path}: {error.strerror}") from error
        self._size += len(line)

    def close(self) -> None:
        """Close the file; nothing is buffered."""
        if self._file is not None:
            self._file.close()

    def _opened(self) -> FileIO:
        """Return the file, opened for the first line, and rid of one that a crash cut off."""
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            _drop_torn_line(self.path)
            self._file = FileIO(self.path, "a")
            self._size = self._file.seek(0, os.SEEK_END)
        return self._file


def _drop_torn_line(path: Path) -> None:
    if not path.exists():
        return
    with path.open("rb+") as file:
        end = whole = file.seek(0, os.SEEK_END)
        while whole:
            start = max(0, whole - BLOCK)
            file.seek(start)
            newline = file.read(whole - start).rfind(b"\n")
            whole = start + newline + 1
            if newline >= 0:
                break
        if whole < end:
            file.truncate(whole)
