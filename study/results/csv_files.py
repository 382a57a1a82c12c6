"""Writes ``trials.csv`` and ``metrics.csv`` of a study folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from study.journal.record import TrialRecord
from study.results.frames import metrics_frame, trials_frame
from study.workspace.folder import StudyFolder
from trainables.storage.files import write_atomically


def write_csvs(folder: StudyFolder, records: Mapping[str, TrialRecord]) -> list[Path]:
    """Write a row a trial, and a row for every metric of every epoch; return the two files."""
    frames = {
        "trials.csv": trials_frame(folder.name, records.values()),
        "metrics.csv": metrics_frame(records.values()),
    }
    for name, frame in frames.items():
        write_atomically(folder.path / name, frame.to_csv(index=False).encode())
    return [folder.path / name for name in frames]
