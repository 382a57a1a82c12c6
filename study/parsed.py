"""The reports of a long journal, parsed once: arrays in a file beside it, good for the bytes they are of."""

from __future__ import annotations

import hashlib
import os
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from study.curves import Curves
from trainables.files import atomically

WORTH = 32 << 20
"""Bytes whose parsing is worth a file: about half a second of it on two cores (200 MB took 2.5 to 3.5 s)."""

ENDS = 64 << 10
"""Bytes at both ends of the parsed ones by which they are known again; a journal is only appended to."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """The curves of the trials ``keys`` in the first ``size`` bytes of a journal."""

    size: int
    keys: tuple[str, ...]
    curves: Curves

    @classmethod
    def of(cls, journal: Path) -> Parsed | None:
        """What an earlier reading left, if the journal still begins with what it has read."""
        try:
            with np.load(file_of(journal)) as kept:
                size = int(kept["size"])
                if str(kept["ends"]) != ends(journal, size):
                    return None
                curves = Curves(tuple(kept["names"].tolist()), kept["lengths"], kept["values"])
                return cls(size, tuple(kept["keys"].tolist()), curves)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, journal: Path) -> None:
        """Leave it for the next reading; where that cannot be, that one parses again."""
        curves = self.curves
        with suppress(OSError), atomically(file_of(journal)) as file:
            np.savez(
                file,
                size=np.array(self.size),
                ends=np.array(ends(journal, self.size)),
                keys=np.array(self.keys),
                names=np.array(curves.names),
                lengths=curves.lengths,
                values=curves.values,
            )


def file_of(journal: Path) -> Path:
    """Where the arrays of a journal are."""
    return journal.with_suffix(".npz")


def ends(journal: Path, size: int) -> str:
    """A hash of the first and the last bytes of the first ``size``; empty where there are fewer."""
    with journal.open("rb") as file:
        if file.seek(0, os.SEEK_END) < size:
            return ""
        hashed = hashlib.sha256()
        for start in (0, max(0, size - ENDS)):
            file.seek(start)
            hashed.update(file.read(min(ENDS, size - start)))
        return hashed.hexdigest()
