"""Reads the reports of a journal as arrays; of a long one they are kept in a file beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pyarrow.json
from numpy.typing import NDArray

from study.journal.curves import Floats, LearningCurves
from study.journal.damage import missing_epoch, told_by_line
from study.journal.lines import LATEST, REPORT
from study.journal.parsed_metrics import ParsedMetrics

WORTH = 32 << 20
"""Bytes whose parsing is worth a file: about half a second of it on two cores (200 MB took 2.5 to 3.5 s)."""

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

    An epoch of a trial counts once, the first time. A last line that a crash cut off is left out. All
    metrics of a long journal are kept in a file beside it (:class:`ParsedMetrics`).

    Args:
        names: of the metrics, :data:`ARRIVED` among them if wanted; None for all there are.

    Raises:
        JournalDamaged: a line is no report, or an epoch is missing of a trial that has later ones.
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
    curves = _curves(path, parts, keys, names)
    if whole and size - parsed >= WORTH:
        ParsedMetrics(size, tuple(keys), curves).save(path)
    return curves


def _curves(
    path: Path, parts: list[_JournalChunk], keys: Sequence[str], names: Sequence[str] | None
) -> LearningCurves:
    """Sort the reports of the trials ``keys`` into curves; ``parts`` are used up."""
    count = len(keys)
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
    whole = epochs == within + 1
    if not whole.all():
        gap = int(np.argmin(whole))
        raise missing_epoch(path, keys[trials[gap]], int(within[gap]) + 1)
    return LearningCurves(tuple(names), counts.astype(np.int64), values[order])


def _known(known: ParsedMetrics, place: dict[str, int], names: Sequence[str] | None) -> _JournalChunk:
    """Return what was parsed before, as one chunk."""
    curves = known.curves
    trials = np.repeat(np.array([place.get(key, -1) for key in known.keys], np.int64), curves.lengths)
    epochs = np.arange(len(trials)) - np.repeat(curves.ends - curves.lengths, curves.lengths) + 1
    kept = tuple(names) if names is not None else curves.names
    values = curves.values if names is None else curves.columns(kept)
    return _JournalChunk(trials, epochs, kept, values).ours()


def _portion(table: pa.Table, place: dict[str, int], names: Sequence[str] | None) -> _JournalChunk:
    """Turn a table of reports into a chunk of arrays.

    Raises:
        ValueError: one lacks a field, or a field holds what it cannot.
    """
    if not pa.types.is_string(table["key"].type) or table["key"].null_count:
        raise ValueError("a report is of no trial")
    keys = table["key"].combine_chunks().dictionary_encode()
    known = np.array([place.get(key, -1) for key in keys.dictionary.to_pylist()], dtype=np.int64)
    trials = known[keys.indices.to_numpy(zero_copy_only=False)]
    metrics = table["metrics"].combine_chunks()
    if not pa.types.is_struct(metrics.type):
        raise ValueError("a report has no metrics")
    reported = [field.name for field in metrics.type if field.name != "epoch"]
    kept = tuple(names) if names is not None else (*reported, ARRIVED)
    columns = {name: metrics.field(name) for name in ("epoch", *kept) if name != ARRIVED}
    columns[ARRIVED] = table["time"]
    numbers = {name: _numbers(column) for name, column in columns.items()}
    epochs, times = numbers["epoch"], numbers[ARRIVED]
    whole = (epochs >= 1) & (epochs == np.floor(epochs)) & (epochs < LATEST)  # not so where one is missing
    if not (whole & (times >= 0) & (times < LATEST)).all():
        raise ValueError("a report has no epoch or no time")
    values = np.column_stack([numbers[name] for name in kept])
    return _JournalChunk(trials, epochs.astype(np.int64), kept, values).ours()


def _numbers(column: pa.Array | pa.ChunkedArray) -> Floats:
    """Return a column of numbers; NaN where there is none."""
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
        raise ValueError(f"a report holds a {kind} for a number")
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


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
