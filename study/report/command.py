"""``sdd-study report``: tables and figures from a results folder or from MLflow."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from study.errors import UserError

PROTOCOLS = ("last", "validation", "best-test")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``report``."""
    parser.add_argument(
        "--study", action="append", required=True, metavar="NAME", help="study to report on; repeatable"
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the report goes")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="results folder (./results)"
    )
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
    """Write the report; returns the exit code."""
    from study.report.write import report_studies

    studies = list(dict.fromkeys(args.study))
    protocols = list(dict.fromkeys(args.protocol or PROTOCOLS[:1]))
    try:
        report = report_studies(
            studies,
            args.results,
            args.tracking_uri,
            args.out.absolute(),
            protocols,
            networks=not args.no_networks,
            say=lambda line: print(line, file=sys.stderr),
        )
    except UserError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    print(f"{args.out}: {len(report.files)} files, {len(report.table)} confirmed configurations")
    return 0
