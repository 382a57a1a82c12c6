"""Keeps training state in a run store: written atomically, verified on load, the previous one kept.

Format: 8 bytes of magic, the size of the payload (8 bytes, little-endian), its SHA-256 (32 bytes), the
payload as ``torch.save`` wrote it. It is read with ``weights_only=True``: tensors, numbers and text, never
objects.
"""

from __future__ import annotations

import hashlib
import io
import struct
import threading
from typing import Any

import torch

from trainables.storage.run_store import RunFolder
from trainables.training.snapshot import Snapshot

MAGIC = b"SDDCKPT2"
HEAD = struct.Struct("<8sQ32s")


class DamagedCheckpoint(Exception):
    """Says why bytes are not a whole checkpoint."""


class CheckpointWriter:
    """Writes checkpoints of one trial in a thread, one at a time, while the next epoch trains.

    A process that dies meanwhile leaves the checkpoint before, and repeats an epoch to the same numbers.
    Used in ``with``, which ends once the last one is written; what went wrong in the thread is raised there,
    or when the next one is to be written.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def save(self, epoch: int, state: dict[str, Any]) -> None:
        """Begin to write ``state``, as it is now, after ``epoch`` epochs."""
        self.wait()
        snapshot = Snapshot.of(state)
        self._thread = threading.Thread(target=self._write, args=(epoch, snapshot), name="checkpoint")
        with _lock:
            _writing.add(self)
        self._thread.start()

    def wait(self) -> None:
        """Wait until the last checkpoint is written; raise what went wrong with it."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if (error := self._error) is not None:
            self._error = None
            raise error

    def _write(self, epoch: int, snapshot: Snapshot) -> None:
        try:
            save(self.folder, epoch, snapshot.state())
        except BaseException as error:
            self._error = error
        finally:
            with _lock:
                _writing.discard(self)

    def __enter__(self) -> CheckpointWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.wait()
        except Exception:
            if kind is None:  # else what ended the trial says more
                raise


_writing: set[CheckpointWriter] = set()
_lock = threading.Lock()


def wait_for_writers() -> None:
    """Wait until this process writes no checkpoint: before it ends without a word."""
    with _lock:
        threads = [writer._thread for writer in _writing]
    for thread in threads:
        if thread is not None:
            thread.join()


def save(folder: RunFolder, epoch: int, state: dict[str, Any]) -> None:
    """Keep ``state`` after ``epoch`` epochs; the one before it stays beside it."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getvalue()
    head = HEAD.pack(MAGIC, len(payload), hashlib.sha256(payload).digest())
    folder.write_checkpoint(epoch, head + payload)


def load(folder: RunFolder) -> tuple[dict[str, Any] | None, list[str]]:
    """Return the newest whole state in ``folder``, and a line about each damaged one met, which is deleted.

    The state is None when there is none: the run starts from the beginning.
    """
    problems: list[str] = []
    for name in folder.checkpoints():
        try:
            return unpack(folder.read_checkpoint(name)), problems
        except FileNotFoundError:
            continue  # dropped as the oldest since it was listed
        except DamagedCheckpoint as error:
            problems.append(f"{folder.name}/{name}: {error}; going back to the one before")
            folder.drop_checkpoint(name)  # it would count as one of the newest
    return None, problems


def unpack(data: bytes) -> dict[str, Any]:
    """Return the state in a checkpoint's bytes.

    Raises:
        DamagedCheckpoint: they are cut short, changed, or of another kind.

    >>> unpack(b"SDD")
    Traceback (most recent call last):
    trainables.training.checkpoint.DamagedCheckpoint: 3 bytes that are no checkpoint
    """
    if len(data) < HEAD.size or not data.startswith(MAGIC):
        raise DamagedCheckpoint(f"{len(data)} bytes that are no checkpoint")
    _, size, digest = HEAD.unpack_from(data)
    payload = data[HEAD.size :]
    if len(payload) != size:
        raise DamagedCheckpoint(f"{len(payload)} bytes where {size} were written")
    if hashlib.sha256(payload).digest() != digest:
        raise DamagedCheckpoint("its content does not match its hash")
    state: dict[str, Any] = torch.load(io.BytesIO(payload), weights_only=True, map_location="cpu")
    return state
