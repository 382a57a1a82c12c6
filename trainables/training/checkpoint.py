"""Keeps training state in a run store: written atomically, verified on load, the previous one kept.

Format: 8 bytes of magic, the size of the payload (8 bytes, little-endian), its SHA-256 (32 bytes), the
payload as ``torch.save`` wrote it. It is read with ``weights_only=True``: tensors, numbers and text, never
objects.
"""

from __future__ import annotations

import hashlib
import io
import struct
from typing import Any

import torch

from trainables.storage.run_store import RunFolder

MAGIC = b"SDDCKPT2"
HEAD = struct.Struct("<8sQ32s")


class DamagedCheckpoint(Exception):
    """Says why bytes are not a whole checkpoint."""


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
