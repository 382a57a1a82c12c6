"""Reads the reports of a journal as arrays; of a long one they are kept in a file beside it.

That file is good for the bytes it was made from, so that only what was appended since is parsed.
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.json
from numpy.typing import NDArray

from study.journal.curves import Floats, LearningCurves
from study.journal.damage import told_by_line
from trainables.storage.files import atomically

WORTH = 32 << 20
"""Bytes whose parsing is worth a file: about half a second of it on two cores (200 MB took 2.5 to 3.5 s)."""

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


REPORT = b'{"type":"report",'
"""How the line of a report begins."""

ARRIVED = "journal/time"
"""Name of a column beside the metrics: when the report came, seconds since 1970."""

BLOCK = 1 << 20
"""Bytes that a core reads at once; a line must fit into it."""

PORTION = 4 << 20
"""Bytes of the journal that are in memory at once."""


class _JournalChunk(NamedTuple):
    """Holds reports that follow each other in a journal: trial [n], epoch [n], values [n, names]."""

    trials: NDArray[np.int64]
    epochs: NDArray[np.int64]
    names: tuple[str, ...]
    values: Floats

    def ours(self) -> _JournalChunk:
        """Return these without the reports of trials that nobody asked for, whose number is -1."""
        asked = self.trials >= 0
        if asked.all():
            return self
        return _JournalChunk(self.trials[asked], self.epochs[asked], self.names, self.values[asked])

    def of(self, names: Sequence[str]) -> Floats:
        """Return the columns ``names``, [n, names]; NaN where one is not known here."""
        if tuple(names) == self.names:
            return self.values
        missing = np.full(len(self.values), np.nan)
        at = {name: column for column, name in enumerate(self.names)}
        columns = [self.values[:, at[name]] if name in at else missing for name in names]
        return np.column_stack(columns).reshape(-1, len(names))


def read_curves(path: Path, keys: Sequence[str], names: Sequence[str] | None = None) -> LearningCurves:
    """Read the metrics of the trials ``keys`` in the journal at ``path``, NaN where one was not reported.

    An epoch of a trial counts once, the first time, and after the one before it. A last line that a crash cut
    off is left out. All metrics of a long journal are kept in a file beside it (:class:`ParsedMetrics`).

    Args:
        names: of the metrics, :data:`ARRIVED` among them if wanted; None for all there are.

    Raises:
        JournalDamaged: a line is no report.
    """
    place = {key: number for number, key in enumerate(keys)}
    parts, parsed, whole = list[_JournalChunk](), 0, names is None
    if (known := ParsedMetrics.of(path)) is not None:
        parts, parsed = [_known(known, place, names)], known.size
    size = parsed
    with told_by_line(path):
        for lines in _portions(path, parsed):
            size += len(lines)
            if (table := _table(lines, names)) is not None:
                parts.append(_portion(table, place, names))
                whole = whole and len(parts[-1].trials) == table.num_rows
    curves = _curves(parts, len(keys), names)
    if whole and size - parsed >= WORTH:
        ParsedMetrics(size, tuple(keys), curves).save(path)
    return curves


def _curves(parts: list[_JournalChunk], count: int, names: Sequence[str] | None) -> LearningCurves:
    """Sort the reports of ``count`` trials into curves; ``parts`` are used up."""
    if names is None:
        names = tuple(dict.fromkeys(name for part in parts for name in part.names))
    if not parts:
        return LearningCurves(tuple(names), np.zeros(count, np.int64), np.empty((0, len(names))))
    trials, epochs, values = (
        each[0] if len(each) == 1 else np.concatenate(each)
        for each in zip(*((part.trials, part.epochs, part.of(names)) for part in parts), strict=True)
    )
    parts.clear()  # their memory is wanted for what follows
    order = np.lexsort((epochs, trials))  # stable: of equal epochs the first comes first
    trials, epochs = trials[order], epochs[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (trials[1:] != trials[:-1]) | (epochs[1:] != epochs[:-1])
    order, trials, epochs = order[fresh], trials[fresh], epochs[fresh]
    counts = np.bincount(trials, minlength=count)
    within = np.arange(len(trials)) - (np.cumsum(counts) - counts)[trials]
    whole = epochs == within + 1  # not so after a gap
    lengths = np.bincount(trials[whole], minlength=count).astype(np.int64)
    return LearningCurves(tuple(names), lengths, values[order[whole]])


def _known(known: ParsedMetrics, place: dict[str, int], names: Sequence[str] | None) -> _JournalChunk:
    """Return what was parsed before, as one chunk."""
    curves = known.curves
    trials = np.repeat(np.array([place.get(key, -1) for key in known.keys], np.int64), curves.lengths)
    epochs = np.arange(len(trials)) - np.repeat(curves.ends - curves.lengths, curves.lengths) + 1
    kept = tuple(names) if names is not None else curves.names
    values = curves.values if names is None else curves.columns(kept)
    return _JournalChunk(trials, epochs, kept, values).ours()


def _portion(table: pa.Table, place: dict[str, int], names: Sequence[str] | None) -> _JournalChunk:
    """Turn a table of reports into a chunk of arrays."""
    keys = table["key"].combine_chunks().dictionary_encode()
    known = np.array([place.get(key, -1) for key in keys.dictionary.to_pylist()], dtype=np.int64)
    trials = known[keys.indices.to_numpy(zero_copy_only=False)]
    metrics = table["metrics"].combine_chunks()
    reported = [field.name for field in metrics.type if field.name != "epoch"]
    kept = tuple(names) if names is not None else (*reported, ARRIVED)
    columns = {name: metrics.field(name) for name in ("epoch", *kept) if name != ARRIVED}
    columns[ARRIVED] = table["time"]
    numbers = {name: column.to_numpy(zero_copy_only=False) for name, column in columns.items()}
    values = np.column_stack([numbers[name] for name in kept]).astype(np.float64)
    return _JournalChunk(trials, numbers["epoch"].astype(np.int64), kept, values).ours()


def _table(lines: bytes, names: Sequence[str] | None) -> pa.Table | None:
    """Parse the reports among some lines of a journal; of their metrics the epoch and ``names``, or all."""
    options: dict[str, object] = {}
    if names is not None:  # other lines' fields are passed over, and their rows are left out afterwards
        numbers = [(name, pa.float64()) for name in dict.fromkeys(["epoch", *names]) if name != ARRIVED]
        texts = [("type", pa.string()), ("key", pa.string())]
        fields = [*texts, ("time", pa.float64()), ("metrics", pa.struct(numbers))]
        options = {"explicit_schema": pa.schema(fields), "unexpected_field_behavior": "ignore"}
    else:  # types are inferred: every line has to be a report
        lines = b"".join([line for line in lines.splitlines(keepends=True) if line.startswith(REPORT)])
    if not lines:
        return None
    parsing = pyarrow.json.ParseOptions(**options)
    table = pyarrow.json.read_json(
        pa.BufferReader(lines), pyarrow.json.ReadOptions(block_size=BLOCK), parsing
    )
    return table if names is None else table.filter(pa.compute.equal(table["type"], "report"))


def _portions(path: Path, start: int) -> Iterator[bytes]:
    """Yield the whole lines of a file from byte ``start`` on, :data:`PORTION` bytes or so at a time."""
    if not path.exists():
        return
    with path.open("rb") as file:
        file.seek(start)
        rest = b""
        while portion := file.read(PORTION):
            whole, newline, rest = (rest + portion).rpartition(b"\n")
            yield whole + newline
