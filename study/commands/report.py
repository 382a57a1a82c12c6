"""Write tables and figures from a results folder or from MLflow."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from study.commands.common import add_results, answer, check_out_folder, user_path
from study.errors import DONE
from study.workspace.folder import StudyFolder

if TYPE_CHECKING:
    from study.results.loaded_study import LoadedStudy

EPILOG = """
examples:
  sdd-study report --study quickstart --out report
  sdd-study report --study pairs --study ablation --out report --protocol last --protocol best-test

JSON: {"folder", "files": [PATH], "configurations": rows of tables/summary.csv, "rungs": how rungs ranked what
finished, a sentence each}
"""

PROTOCOLS = ("last", "validation", "best-test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``report``."""
    parser.add_argument(
        "--study", action="append", required=True, metavar="NAME", help="study to report on; repeatable"
    )
    parser.add_argument("--out", required=True, type=user_path, metavar="DIR", help="where the report goes")
    add_results(parser)
    parser.add_argument(
        "--tracking-uri", metavar="URI", help="read the trials from MLflow instead of the results folder"
    )
    parser.add_argument(
        "--protocol",
        action="append",
        choices=PROTOCOLS,
        help="when test accuracy is read: after the last epoch, at the epoch that is best on the held-out "
        "part, or at the best test epoch; repeat it to see them side by side (last)",
    )
    parser.add_argument(
        "--no-networks",
        action="store_true",
        help="leave out figures 3 to 6, which load the stored networks and the data set",
    )


def run(args: argparse.Namespace) -> int:
    """Write the report; return the exit code."""
    from study.report.write import report_studies

    studies = list(dict.fromkeys(args.study))
    protocols = list(dict.fromkeys(args.protocol or PROTOCOLS[:1]))
    check_out_folder(args.out)
    with uncollected():
        report = report_studies(
            read_studies(studies, args.results, args.tracking_uri),
            args.out.absolute(),
            protocols,
            None if args.no_networks else StudyFolder(args.results.absolute(), studies[0]).store,
            say=lambda line: print(line, file=sys.stderr),
        )
    about = {
        "folder": str(args.out),
        "rungs": report.rungs,
        "files": [str(path) for path in report.files],
        "configurations": report.table.to_dict("records"),
    }
    wrote = f"{args.out}: {len(report.files)} files, {len(report.table)} confirmed configurations"
    answer(
        args,
        about,
        lambda: "\n".join([wrote, *report.rungs]),
    )
    return DONE


def read_studies(names: Sequence[str], results: Path, tracking_uri: str | None) -> list[LoadedStudy]:
    """Read the studies ``names`` from MLflow where ``tracking_uri`` says so, else from the results folder."""
    if tracking_uri is not None:
        from study.tracking.run_reader import read_mlflow

        return read_mlflow(tracking_uri, names)
    from study.results.folder_reader import read_folder

    return [read_folder(results, name) for name in names]


@contextmanager
def uncollected() -> Iterator[None]:
    """Let the garbage collector rest: of ten thousand runs it would look through millions of objects, again
    and again, that are all in use.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
