"""Copies a study's journal to its store, so that a launch on another machine goes on where this one was.

STORE/studies/<study>/journal/<time>-<random>.jsonl     some lines of it each

The journal is the union of the lines of all segments and of the local file, each line once, in the order of
their times. So it does not matter who was further, nor whether two machines had each gone on by themselves:
whoever launches next has all of it. What the last seconds before a machine was lost did not reach the store
comes back through the trials, which report every epoch again.
"""

from __future__ import annotations

import heapq
import json
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

from study.background import repeating
from study.journal.damage import check_lines
from trainables.storage.blobs import BlobStorage, StorageError
from trainables.storage.files import read_json, write_atomically, write_json

EVERY_S = 5.0
MOST_SEGMENTS = 100
"""With more than these they are put together: all of them by a launch, its own by a running one."""


class JournalReplica:
    """Keeps the segments of one study's journal in a storage, and the local file in step with them.

    ``journal.mirror.json`` beside the journal says which segments are in the local file, and how many of its
    bytes are in segments.

    >>> import tempfile
    >>> from trainables.storage.folder import FolderStorage
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     store, here, there = FolderStorage(Path(folder)), Path(folder, "a.jsonl"), Path(folder, "b.jsonl")
    ...     _ = here.write_text('{"type":"remark","key":"0","text":"hello","time":0.0}\\n')
    ...     JournalReplica(store, "first", here).send()
    ...     JournalReplica(store, "first", there).fetch()
    1
    """

    def __init__(self, storage: BlobStorage, study: str, journal: Path) -> None:
        self.storage = storage
        self.folder = f"studies/{study}/journal"
        self.journal = journal
        self._state_file = journal.with_suffix(".mirror.json")
        self._segments: list[str] = []
        self._bytes = 0
        self._tail: list[str] = []
        self._tail_start = 0
        self._offered = ""

    def fetch(self) -> int:
        """Bring the local journal and the segments together; return how many lines were new here.

        Raises:
            JournalDamaged: a line that would go here or there, or with which others are put in order, is no
                line of a journal; nothing was written.
        """
        names = self.storage.names(self.folder)
        local = whole_lines(self.journal)
        known, size = self._state(local)
        found = [line for name in names if name not in known for line in self._segment(name)]
        here, there = set(local), set(found)
        ends = accumulate(map(len, local))
        unsent = [line for line, end in zip(local, ends, strict=True) if end > size and line not in there]
        new = list(dict.fromkeys(line for line in found if line not in here))
        if new or unsent:
            check_lines(self.journal, local)
        if new:
            local = list(heapq.merge(local, new, key=time_of))
            write_atomically(self.journal, b"".join(local))
        self._segments, self._bytes = list(names), sum(map(len, local))
        self._put(b"".join(unsent))
        if len(names) > MOST_SEGMENTS:
            self._replace(names, b"".join(local))
        self._tail, self._tail_start = [], self._bytes
        self._save()
        return len(new)

    def send(self) -> None:
        """Put what was written since the last time into a segment."""
        with self.journal.open("rb") as file:
            file.seek(self._bytes)
            data = file.read()
        data = data[: data.rfind(b"\n") + 1]
        if data:
            self._put(data)
            self._bytes += len(data)
            self._tail.append(self._segments[-1])
            if len(self._tail) == MOST_SEGMENTS:
                self._put_tail_together()
            self._save()

    @contextmanager
    def following(self, say: Callable[[str], None]) -> Iterator[None]:
        """Send, while inside, what is written every few seconds; and the rest at the end."""

        def attempt() -> bool:
            try:
                self.send()
            except (StorageError, OSError) as error:
                if self._offered != str(error):
                    say(f"the journal's copy waits: {error}")
                self._offered = str(error)
            else:
                self._offered = ""
            return True

        try:
            with repeating(attempt, EVERY_S, "journal-mirror"):
                yield
        finally:
            attempt()

    def _segment(self, name: str) -> list[bytes]:
        """Read the lines of a segment."""
        lines = split(self.storage.read(f"{self.folder}/{name}"))
        check_lines(f"{self.storage.url}/{self.folder}/{name}", lines, "put that object back from a copy")
        return lines

    def _state(self, local: list[bytes]) -> tuple[set[str], int]:
        """Read which segments' lines are in the local file, and how many of its bytes are in segments."""
        state = read_json(self._state_file) or {"segments": [], "bytes": 0}
        if sum(map(len, local)) < state["bytes"]:  # the file is gone, or another one
            return set(), 0
        return set(state["segments"]), state["bytes"]

    def _put_tail_together(self) -> None:
        with self.journal.open("rb") as file:
            file.seek(self._tail_start)
            self._replace(self._tail, file.read(self._bytes - self._tail_start))
        self._tail, self._tail_start = [], self._bytes

    def _replace(self, old: list[str], data: bytes) -> None:
        """Put one segment in place of several; lines that are there twice for a while do no harm."""
        self._put(data)
        for name in old:
            self.storage.delete(f"{self.folder}/{name}")
            self._segments.remove(name)

    def _put(self, data: bytes) -> None:
        if data:
            name = f"{time.time_ns():020d}-{uuid.uuid4().hex[:8]}.jsonl"
            self.storage.write(f"{self.folder}/{name}", data)
            self._segments.append(name)

    def _save(self) -> None:
        write_json(self._state_file, {"segments": self._segments, "bytes": self._bytes})


def whole_lines(path: Path) -> list[bytes]:
    """Read the lines of a file; one that a crash cut off is left out."""
    return split(path.read_bytes()) if path.exists() else []


def split(data: bytes) -> list[bytes]:
    """Split bytes into whole lines, each with its end."""
    return [line for line in data.splitlines(keepends=True) if line.endswith(b"\n")]


def time_of(line: bytes) -> float:
    """Return when a line was written, in seconds since 1970."""
    when: float = json.loads(line)["time"]
    return when
