"""Reads the curves of a study's searches from its journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

from study.errors import UserError
from study.results.folder_reader import read_folder
from study.simulation.curve_set import RecordedCurve


def read_study(results: Path, study: str, say: Callable[[str], None]) -> tuple[list[RecordedCurve], str]:
    """Read the whole curves of a study's searches, and the metric they are of.

    A trial that was stopped has no end to compare with, and is left out; ``say`` gets a line about that.

    Raises:
        UserError: there is no such study, or no trial of a search reached its last epoch.
    """
    loaded = read_folder(results, study)
    found, left_out = list[RecordedCurve](), Counter[str]()
    for number, record in enumerate(loaded.records):
        if record.stage != "search":
            continue
        training, values = record.config["training"], loaded.curves.of(number, loaded.metric)
        if record.status != "done" or len(values) < training["epochs"] or (values != values).any():
            left_out[record.status] += 1
            continue
        milestones = tuple(training["milestones"]) if training["schedule"] == "step" else ()
        drops = tuple(at for at in milestones if at < training["epochs"])
        found.append(RecordedCurve(record.search, values.tolist(), drops, record.point))
    if not found:
        raise UserError(f"study '{study}': no trial of a search reached its last epoch; nothing to replay")
    if left_out:
        counts = ", ".join(f"{count} {status}" for status, count in left_out.items())
        say(
            f"{study}: left out {counts}; only whole curves are replayed, a study with stop=None has them all"
        )
    return found, loaded.metric
