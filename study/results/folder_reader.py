"""Reads a study in a results folder, as a report needs it."""

from __future__ import annotations

from pathlib import Path

from study.journal.journal import read_measured
from study.plan.study_file import StudyFile
from study.results.loaded_study import LoadedStudy, SearchGoals, all_names
from study.workspace.folder import find_study


def read_folder(results: Path, study: str) -> LoadedStudy:
    """Read the study of that name in a results folder.

    Raises:
        UserError: there is none.
    """
    folder = find_study(results, study)
    file = StudyFile.read(folder)
    goals = SearchGoals.of(file)
    outline, curves = read_measured(folder.journal, all_names(file.metric, *goals.metrics))
    return LoadedStudy.of_curves(
        study,
        list(outline.records.values()),
        curves,
        file.confirm,
        file.metric,
        goals,
    )
