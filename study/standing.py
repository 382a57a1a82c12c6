"""Where a study stands, from its journal alone."""

from __future__ import annotations

from study.folder import StudyFolder
from study.journal import Outline


def state_of(folder: StudyFolder, outline: Outline) -> str:
    """``running``: a launcher holds it; ``finished``: the last one went to the end; else ``interrupted``."""
    if folder.launcher is not None:
        return "running"
    notes = outline.notes
    if not notes:  # written before journals said so
        unfinished = any(record.status == "running" for record in outline.records.values())
        return "interrupted" if unfinished or not outline.records else "finished"
    went_to_the_end = notes[-1]["type"] == "leave" and notes[-1]["outcome"] in ("done", "trials failed")
    return "finished" if went_to_the_end else "interrupted"
