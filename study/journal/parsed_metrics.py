"""Keeps what was parsed of a long journal in a file beside it.

The file is good for the bytes it was made from, so that only what was appended since is parsed.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from study.journal.curves import LearningCurves
from trainables.storage.files import atomically

ENDS = 64 << 10
"""Bytes at both ends of the parsed ones by which they are known again; a journal is only appended to."""


@dataclass(frozen=True, slots=True)
class ParsedMetrics:
    """Holds the curves of the trials ``keys`` in the first ``size`` bytes of a journal."""

    size: int
    keys: tuple[str, ...]
    curves: LearningCurves

    @classmethod
    def of(cls, journal: Path) -> ParsedMetrics | None:
        """Load what an earlier reading left; None where the journal does not begin with what it read."""
        try:
            with np.load(file_of(journal)) as kept:
                size = int(kept["size"])
                if str(kept["ends"]) != ends(journal, size):
                    return None
                curves = LearningCurves(tuple(kept["names"].tolist()), kept["lengths"], kept["values"])
                return cls(size, tuple(kept["keys"].tolist()), curves)
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def save(self, journal: Path) -> None:
        """Save the curves for the next reading; where that cannot be, that one parses again."""
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
    """Return the file in which the arrays of a journal are kept."""
    return journal.with_suffix(".npz")


def ends(journal: Path, size: int) -> str:
    """Hash the first and the last :data:`ENDS` of the first ``size`` bytes; empty where there are fewer."""
    with journal.open("rb") as file:
        if file.seek(0, os.SEEK_END) < size:
            return ""
        hashed = hashlib.sha256()
        for start in (0, max(0, size - ENDS)):
            file.seek(start)
            hashed.update(file.read(min(ENDS, size - start)))
        return hashed.hexdigest()
