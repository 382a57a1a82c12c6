"""List the studies of a results folder: whether they run, their trials, when they were last heard of."""

from __future__ import annotations

import argparse
import time
from collections import Counter
from typing import Any

from study.commands.common import add_results, answer, columns
from study.errors import DONE
from study.journal.damage import JournalDamaged
from study.journal.journal import JournalOutline, read_outline
from study.journal.record import STATUSES
from study.workspace.folder import StudyFolder, open_folders

EPILOG = """
examples:
  sdd-study list
  sdd-study list --results /mnt/shared/results --json

JSON: a list of {"study", "state": "running" | "interrupted" | "finished" | "damaged", "trials": {"running",
"done", "stopped", "failed"}, "last_activity": seconds since 1970 or null}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``list``."""
    add_results(parser)


def run(args: argparse.Namespace) -> int:
    """Show the studies of the results folder."""
    studies = [describe(folder) for folder in open_folders(args.results.absolute())]
    answer(args, studies, lambda: table(studies) if studies else f"no study in {args.results}")
    return DONE


def describe(folder: StudyFolder) -> dict[str, Any]:
    """Describe one study: whether it runs, its trials, when it was last heard of."""
    try:
        outline, state = read_outline(folder.journal), ""
    except JournalDamaged:  # status says where; the other studies are to be seen
        outline, state = JournalOutline({}, []), "damaged"
    counts = Counter(record.status for record in outline.records.values())
    return {
        "study": folder.name,
        "state": state or outline.state(folder.launcher() is not None),
        "trials": {status: counts[status] for status in STATUSES},
        "last_activity": outline.last,
    }


def table(studies: list[dict[str, Any]]) -> str:
    """Write the studies, one a line."""
    rows = [["study", "state", *STATUSES, "last activity"]]
    for study in studies:
        when = study["last_activity"]
        last = "-" if when is None else time.strftime("%Y-%m-%d %H:%M", time.localtime(when))
        rows.append([study["study"], study["state"], *map(str, study["trials"].values()), last])
    return columns(rows, right=(2, 3, 4, 5))
