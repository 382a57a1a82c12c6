"""Training state on disk: written atomically, verified on load, the previous one kept.

File: 8 bytes of magic, the SHA-256 of the payload (32 bytes), the payload as ``torch.save`` wrote it. The
payload is read with ``weights_only=True``: tensors, numbers and text, never objects.
"""

from __future__ import annotations

import hashlib
import io
import os
from pathlib import Path
from typing import Any

import torch

from trainables.store import write_atomically

MAGIC = b"SDDCKPT1"


class DamagedCheckpoint(Exception):
    """The file is not a whole checkpoint."""


def previous(path: Path) -> Path:
    """Where the checkpoint before the one at ``path`` is kept."""
    return path.with_suffix(f".previous{path.suffix}")


def save(path: Path, state: dict[str, Any]) -> None:
    """Save ``state`` at ``path``; what was there before becomes :func:`previous`."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getvalue()
    if path.exists():
        os.replace(path, previous(path))
    write_atomically(path, MAGIC + hashlib.sha256(payload).digest() + payload)


def load(path: Path) -> tuple[dict[str, Any] | None, list[str]]:
    """The newest whole state at ``path`` or :func:`previous`, and a line about each damaged file met.

    Returns None when there is none: the run starts from the beginning.
    """
    problems: list[str] = []
    for candidate in (path, previous(path)):
        if not candidate.exists():
            continue
        try:
            return _read(candidate), problems
        except DamagedCheckpoint as error:
            problems.append(f"{candidate}: {error}; going back to the one before")
    return None, problems


def _read(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    head = len(MAGIC) + 32
    if data[: len(MAGIC)] != MAGIC or len(data) <= head:
        raise DamagedCheckpoint(f"not a checkpoint, or cut short at {len(data)} bytes")
    if hashlib.sha256(data[head:]).digest() != data[len(MAGIC) : head]:
        raise DamagedCheckpoint("its content does not match its hash")
    state: dict[str, Any] = torch.load(io.BytesIO(data[head:]), weights_only=True, map_location="cpu")
    return state
