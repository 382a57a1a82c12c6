"""sdd-study: launch a study, look at studies, export what they found."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from study import launch, teachers
from study.report import command


def main(argv: list[str] | None = None) -> int:
    """Entry of the ``sdd-study`` command; returns the exit code."""
    parser = argparse.ArgumentParser(prog="sdd-study", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    start = commands.add_parser("launch", help="run a study, or go on with it", description=launch.__doc__)
    launch.add_arguments(start)
    start.set_defaults(run=launch.run)
    export = commands.add_parser("export", help="write a study's trials as CSV")
    export.add_argument("--study", required=True, metavar="NAME")
    export.add_argument("--out", required=True, type=Path, metavar="FILE.csv")
    export.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="results folder (./results)"
    )
    export.add_argument(
        "--metrics", action="store_true", help="every metric of every epoch instead of one row a trial"
    )
    export.set_defaults(run=run_export)
    report = commands.add_parser("report", help="tables and figures of studies, the paper's numbers beside")
    command.add_arguments(report)
    report.set_defaults(run=command.run)
    listing = commands.add_parser("list", help="the studies of a results folder")
    listing.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="results folder (./results)"
    )
    listing.set_defaults(run=run_list)
    teachers.add_commands(commands.add_parser("teachers", help="list teachers, or file a weight file as one"))
    args = parser.parse_args(argv)
    code: int = args.run(args)
    return code


def run_export(args: argparse.Namespace) -> int:
    """``sdd-study export``."""
    from study.folder import StudyFolder, open_folders
    from study.journal import read_records
    from study.report.frames import metrics_frame, trials_frame
    from trainables.strict import suggestion

    folder = StudyFolder(args.results.absolute(), args.study)
    if not folder.journal.exists():
        known = [item.name for item in open_folders(args.results)]
        hint = suggestion(args.study, known) if known else "it holds no study"
        print(f"error: no study '{args.study}' in {args.results}; {hint}", file=sys.stderr)
        return launch.WRONG_INPUT
    if not args.out.absolute().parent.is_dir():
        print(f"error: --out {args.out}: there is no folder {args.out.parent}", file=sys.stderr)
        return launch.WRONG_INPUT
    records = read_records(folder.journal).values()
    frame = metrics_frame(records) if args.metrics else trials_frame(args.study, records)
    frame.to_csv(args.out, index=False)
    print(f"{args.out}: {len(frame)} rows")
    return launch.DONE


def run_list(args: argparse.Namespace) -> int:
    """``sdd-study list``."""
    from collections import Counter

    from study.folder import open_folders
    from study.journal import read_records

    for folder in open_folders(args.results):
        counts = Counter(record.status for record in read_records(folder.journal).values())
        print(
            f"{folder.name}: {', '.join(f'{number} {status}' for status, number in sorted(counts.items()))}"
        )
    return launch.DONE


if __name__ == "__main__":
    sys.exit(main())
