"""A study's journal as a report needs it: 10,000 trials of 240 epochs, a gigabyte, in seconds.

Lines that begin or end a trial are read by ``study.journal``, and mean here what they mean there. Of the 240
times as many reports only the wanted numbers are read, by Arrow's JSON reader, on all cores.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.json
from numpy.typing import NDArray

from study.folder import find_study
from study.journal import Record, read_outline
from study.report.curves import Curves, Floats
from study.report.frames import WANTED, Source
from trainables.files import read_json

ARRIVED = "journal/time"
"""Beside the metrics: when the report came, seconds since 1970."""

BLOCK = 16 << 20
"""Bytes that a core reads at once; a line must fit into it."""

PORTION = 64 << 20
"""Bytes of the journal that are in memory at once."""


def read_folder(results: Path, study: str) -> Source:
    """The study of that name in a results folder.

    Raises:
        UserError: there is none.
    """
    folder = find_study(results, study)
    spec = read_json(folder.path / "study.json") or {}
    metric = spec.get("search", {}).get("maximize", WANTED[0])
    records, curves = read_journal(folder.journal, tuple(dict.fromkeys([*WANTED, metric])))
    return Source(study, records, curves, spec.get("confirm", {}).get("seeds"), metric)


def read_journal(path: Path, names: Sequence[str]) -> tuple[list[Record], Curves]:
    """Trials in the order in which they began, without histories, and their metrics ``names``.

    As in ``study.journal``, an epoch of a trial counts once, the first time, and after the one before it.
    """
    records = list(read_outline(path).records.values())
    place = {record.key: number for number, record in enumerate(records)}
    parts = [_reports(table, place, names) for table in _portions(path, names)]
    trials, epochs, values = (
        (np.concatenate(column) for column in zip(*parts, strict=True))
        if parts
        else (np.empty(0, np.int64), np.empty(0, np.int64), np.empty((0, len(names))))
    )
    order = np.lexsort((epochs, trials))  # stable: of equal epochs the first comes first
    trials, epochs = trials[order], epochs[order]
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (trials[1:] != trials[:-1]) | (epochs[1:] != epochs[:-1])
    order, trials, epochs = order[fresh], trials[fresh], epochs[fresh]
    counts = np.bincount(trials, minlength=len(records))
    within = np.arange(len(trials)) - (np.cumsum(counts) - counts)[trials]
    whole = epochs == within + 1  # not so after a gap
    lengths = np.bincount(trials[whole], minlength=len(records)).astype(np.int64)
    return records, Curves(tuple(names), lengths, values[order[whole]])


def _reports(
    table: pa.Table, place: dict[str, int], names: Sequence[str]
) -> tuple[NDArray[np.int64], NDArray[np.int64], Floats]:
    """Trial [n], epoch [n] and metrics [n, names] of the reports in a part of a journal."""
    table = table.filter(pa.compute.equal(table["type"], "report"))
    keys = table["key"].combine_chunks().dictionary_encode()
    known = np.array([place.get(key, -1) for key in keys.dictionary.to_pylist()], dtype=np.int64)
    trials = known[keys.indices.to_numpy(zero_copy_only=False)] if len(known) else np.empty(0, np.int64)
    metrics = table["metrics"].combine_chunks()
    read = {name: metrics.field(name) for name in ("epoch", *names) if name != ARRIVED}
    read[ARRIVED] = table["time"]
    columns = {name: column.to_numpy(zero_copy_only=False) for name, column in read.items()}
    ours = trials >= 0
    values = np.column_stack([columns[name] for name in names]).astype(np.float64)
    return trials[ours], columns["epoch"][ours].astype(np.int64), values[ours]


def _portions(path: Path, names: Sequence[str]) -> Iterator[pa.Table]:
    """The whole lines of a journal, some at a time; a last one that a crash cut off is left out."""
    numbers = [(name, pa.float64()) for name in dict.fromkeys(["epoch", *names]) if name != ARRIVED]
    texts = [("type", pa.string()), ("key", pa.string())]
    fields = [*texts, ("time", pa.float64()), ("metrics", pa.struct(numbers))]
    parsing = pyarrow.json.ParseOptions(explicit_schema=pa.schema(fields), unexpected_field_behavior="ignore")
    reading = pyarrow.json.ReadOptions(block_size=BLOCK)
    if not path.exists():
        return
    with path.open("rb") as file:
        rest = b""
        while portion := file.read(PORTION):
            whole, newline, rest = (rest + portion).rpartition(b"\n")
            if newline:
                source = pa.BufferReader(pa.py_buffer(whole))
                yield pyarrow.json.read_json(source, read_options=reading, parse_options=parsing)
