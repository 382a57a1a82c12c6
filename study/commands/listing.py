"""List the studies of a results folder: whether they run, their trials, when they were last heard of."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from study.commands.common import add_results, answer, columns
from study.errors import DONE
from study.journal.record import STATUSES
from study.monitoring.short_status import ShortStatus
from study.workspace.folder import open_folders

EPILOG = """
examples:
  sdd-study list
  sdd-study list --results /mnt/shared/results --json

JSON: a list of {"study", "state": "running" | "interrupted" | "finished" | "damaged", "trials": {"running",
"done", "stopped", "failed"}, "last_activity": seconds since 1970 or null, "damage": "" or what is damaged}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``list``."""
    add_results(parser)


def run(args: argparse.Namespace) -> int:
    """Show the studies of the results folder."""
    studies = [ShortStatus.of(name, found) for name, found in open_folders(args.results.absolute()).items()]
    answer(args, studies, lambda: table(studies) if studies else f"no study in {args.results}")
    return DONE


def table(studies: Sequence[ShortStatus]) -> str:
    """Write the studies, one a line."""
    rows = [["study", "state", *STATUSES, "last activity"]]
    for study in studies:
        numbers = map(str, study.trials.values())
        rows.append([study.study, study.state, *numbers, study.heard("%Y-%m-%d %H:%M") or "-"])
    return columns(rows, right=(2, 3, 4, 5))
