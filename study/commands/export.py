"""Write a study's trials as CSV, one row a trial, or every metric of every epoch."""

from __future__ import annotations

import argparse

from study.commands.common import add_results, answer, user_path
from study.errors import DONE, UserError
from study.workspace.folder import find_study

EPILOG = """
examples:
  sdd-study export --study quickstart --out trials.csv
  sdd-study export --study quickstart --out metrics.csv --metrics

JSON: {"file", "rows"}
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``export``."""
    parser.add_argument("--study", required=True, metavar="NAME")
    parser.add_argument("--out", required=True, type=user_path, metavar="FILE.csv")
    parser.add_argument(
        "--metrics", action="store_true", help="every metric of every epoch instead of one row a trial"
    )
    add_results(parser)


def run(args: argparse.Namespace) -> int:
    """Write the CSV that was asked for."""
    from study.journal.journal import read_records
    from study.results.frames import metrics_frame, trials_frame

    folder = find_study(args.results, args.study)
    if not args.out.absolute().parent.is_dir():
        raise UserError(f"--out {args.out}: there is no folder {args.out.parent}")
    records = read_records(folder.journal).values()
    frame = metrics_frame(records) if args.metrics else trials_frame(args.study, records)
    try:
        frame.to_csv(args.out, index=False)
    except OSError as error:
        raise UserError(f"--out {args.out}: {error.strerror}") from None
    answer(args, {"file": str(args.out), "rows": len(frame)}, lambda: f"{args.out}: {len(frame)} rows")
    return DONE
