"""A study in a results folder, as a report needs it."""

from __future__ import annotations

from pathlib import Path

from study.journal.journal import read_outline
from study.journal.metrics_reader import read_curves
from study.results.loaded_study import WANTED, LoadedStudy, all_names
from study.workspace.folder import find_study
from trainables.storage.files import read_json


def read_folder(results: Path, study: str) -> LoadedStudy:
    """The study of that name in a results folder.

    Raises:
        UserError: there is none.
    """
    folder = find_study(results, study)
    spec = read_json(folder.path / "study.json") or {}
    metric = spec.get("search", {}).get("maximize", WANTED[0])
    records = read_outline(folder.journal).records
    curves = read_curves(folder.journal, list(records), all_names(metric))
    return LoadedStudy.of_curves(
        study, list(records.values()), curves, spec.get("confirm", {}).get("seeds"), metric
    )
