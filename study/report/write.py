"""The report stage: CSVs, the table and the figures of a study, from its records."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from study.folder import StudyFolder
from study.journal import Record
from study.report import figures
from study.report.frames import metrics_frame, trials_frame
from study.report.tables import markdown, shown, summary
from trainables.store import write_atomically


@dataclass(frozen=True, slots=True)
class Report:
    """What was written."""

    table: pd.DataFrame
    files: list[Path]


def write_csvs(folder: StudyFolder, records: dict[str, Record]) -> list[Path]:
    """``trials.csv`` and ``metrics.csv``."""
    frames = {
        "trials.csv": trials_frame(folder.name, records.values()),
        "metrics.csv": metrics_frame(records.values()),
    }
    for name, frame in frames.items():
        write_atomically(folder.path / name, frame.to_csv(index=False).encode())
    return [folder.path / name for name in frames]


def write_report(folder: StudyFolder, records: dict[str, Record], metric: str, seeds: int) -> Report:
    """Everything a study leaves behind to be read.

    Args:
        metric: what the search maximised.
        seeds: runs of each configuration that the study asked for.
    """
    files = write_csvs(folder, records)
    table = summary(trials_frame(folder.name, records.values()), seeds)
    tables = folder.path / "tables"
    write_atomically(tables / "summary.csv", table.to_csv(index=False).encode())
    write_atomically(tables / "summary.md", markdown(table).encode())
    drawn = folder.path / "figures"
    drawn.mkdir(exist_ok=True)
    made = [
        figures.search_curves(records.values(), metric, drawn / "search.png"),
        figures.confirm_dots(_seeds(table, records), drawn / "confirm.png"),
    ]
    files += [tables / "summary.csv", tables / "summary.md", *(path for path in made if path is not None)]
    return Report(table, files)


def _seeds(table: pd.DataFrame, records: dict[str, Record]) -> list[tuple[str, list[float]]]:
    """Test top-1 of each run behind each row of the table."""
    rows = []
    for (_, row), cells in zip(table.iterrows(), shown(table), strict=True):
        values = [
            record.final["test/top1"]
            for record in records.values()
            if record.stage == "confirm"
            and record.status == "done"
            and (record.pair, record.method, record.role) == (row["pair"], row["method"], row["role"])
        ]
        rows.append((f"{cells[0]}\n{cells[1]}", values))
    return rows
