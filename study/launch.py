"""Run a study: python study/launch.py --space search_spaces/quickstart.py"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run as a script: this folder must not lead sys.path
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
import shlex
from typing import TYPE_CHECKING

from rich.console import Console

from study.commands.common import user_path
from study.commands.parser import CommandParser
from study.commands.terminal import outlive_readers, print_on_any_terminal
from study.errors import DONE, INTERRUPTED, TRIALS_FAILED, SDDError, StudyHalted, UserError
from study.loading import load_space
from study.plan import precision
from study.workspace import locations as places
from study.workspace.folder import DEFAULT_RESULTS, StudyFolder
from study.workspace.locations import Locations
from trainables.engine import device as device_

if TYPE_CHECKING:
    from study.plan.plan import Plan
    from study.spec.study import StudySpec
    from trainables.engine.device import Precision

EPILOG = """
examples:
  python study/launch.py --space search_spaces/quickstart.py
  python study/launch.py --space quickstart --set budget.trials=24 --set confirm.seeds=5
  python study/launch.py --space quickstart --set budget.hours=2 --stages teachers,search
  python study/launch.py --space search_spaces/quickstart.py --dry-run
  python study/launch.py --space cifar_pairs --dry-run --on cluster/aws.yaml
  python study/launch.py --space my_space.py --address auto --results /mnt/shared/results
  python study/launch.py --space my_space.py --submit http://localhost:8265

The same command again goes on where the last one stopped: finished trials are not run again, half-finished
ones go on from their checkpoints. Ctrl-C is safe at any time.

--set takes the path of a field as it stands in the space file, and a literal, domain, stopping rule or text:
  budget.trials=20   training.lr=0.02   pairs.0.student=resnet20   methods.1.beta=Float(1, 8)
  methods.1.scales="Choice((1, 2), (1, 2, 4))"   search.stop="ASHA(grace=30)"   search.stop=None

MLflow: RESULTS/mlflow.db, or the server in MLFLOW_TRACKING_URI. Ray: --address, or RAY_ADDRESS, or the
cluster this machine is a node of, or, as with --address local, one of its own.
With a --store that other machines see, the same command goes on from any of them: runs, teachers and a copy
of the journal are there. --store and --optuna are remembered with the study.

--submit: the study runs on the cluster and survives this machine's sleep; the same command follows it again.
Space file and code go with it; data, --results and --store are the cluster's.

exit codes: 0 done; 2 the input is wrong, nothing was run; 3 done, but trials failed; 130 interrupted, or
stopped by a full disk or the like: the same command goes on.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``launch``."""
    parser.add_argument(
        "--space", required=True, metavar="FILE", help="space file, or the name of a shipped one"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        dest="overrides",
        help="override one field of the spec; repeatable",
    )
    parser.add_argument(
        "--results", type=user_path, default=DEFAULT_RESULTS, metavar="DIR", help="results folder (./results)"
    )
    places.add_arguments(parser)
    parser.add_argument("--name", metavar="NAME", help="name of the study (the space file's)")
    parser.add_argument("--address", metavar="ADDR", help="Ray cluster, such as auto; a local one by default")
    parser.add_argument(
        "--submit",
        metavar="URL",
        help="run it on a cluster from here, as a Ray job of the job server at URL, and follow its output",
    )
    parser.add_argument(
        "--stages", metavar="NAMES", help="only these of teachers,search,confirm,report; all by default"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="print the resolved study, what it runs and how long that takes, from a few steps of each pair; "
        "nothing is trained",
    )
    parser.add_argument(
        "--on",
        metavar="DEVICES",
        help="with --dry-run: how long it takes on these, such as 8xL4, or on the fleet of a cluster's yaml, "
        "with its price (what is here)",
    )
    parser.add_argument("--no-timing", action="store_true", help="with --dry-run: not how long it takes")


def main(argv: list[str] | None = None) -> int:
    """Parse ``argv`` and run the study; return the exit code."""
    parser = CommandParser(
        prog="launch.py",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    print_on_any_terminal()
    return run(parser.parse_args(argv))


def run(args: argparse.Namespace) -> int:
    """Launch the study that ``args`` describe; user errors are one line and exit code 2."""
    try:
        check_estimate(args)
        if args.submit:
            return submit(args)
        spec = load_space(args.space, overrides_of(args))
        folder = StudyFolder(args.results.absolute(), spec.name, Locations.from_arguments(args))
        return execute(spec, folder, args)
    except (KeyboardInterrupt, StudyHalted):
        return INTERRUPTED
    except SDDError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code


def check_estimate(args: argparse.Namespace) -> None:
    """Check that what is asked of an estimate goes with one: else a study would begin in its place.

    Raises:
        UserError: it does not.
    """
    for option, given in (("--on", args.on is not None), ("--no-timing", args.no_timing)):
        if given and (not args.dry_run or args.submit):
            raise UserError(f"{option}: goes with --dry-run{', without --submit' if args.submit else ''}")


def execute(spec: StudySpec, folder: StudyFolder, args: argparse.Namespace) -> int:
    """Run the study, or say what it would do."""
    from study.api import running
    from study.monitoring.launch_log import LaunchLog

    console = Console(highlight=False)
    stages = running.chosen_stages(None if args.stages is None else args.stages.split(","))
    if args.dry_run:
        from study.plan.describe import describe
        from study.plan.resolve import resolved

        def auto() -> Precision:
            here = device_.best_device(spec.resources.gpus_per_trial)
            return precision.kept(folder) or device_.best_precision(here)

        plan = resolved(spec, args.space, auto)
        running.check_stages(stages, plan, folder)
        console.print(describe(plan, folder), soft_wrap=True, markup=False)
        if not args.no_timing:
            console.print(f"\n{how_long(plan, folder, args.on)}", soft_wrap=True, markup=False)
        return DONE
    outlive_readers()
    running.raise_on_signals()
    with LaunchLog(console) as launch_log:
        whole = running.run_study(spec, folder, stages, args.address, launch_log, command_again(), args.space)
    return DONE if whole else TRIALS_FAILED


def how_long(plan: Plan, folder: StudyFolder, on: str | None) -> str:
    """Estimate how long the study takes on what ``--on`` names, or on what is here."""
    from study.estimate.describe import describe_hours
    from study.estimate.devices import fleet_here, fleet_of
    from study.estimate.duration import estimated
    from study.estimate.step_times import measured_times

    fleet = None if on is None else fleet_of(on)  # a word that is none is said before anything is timed
    times = measured_times(plan, folder.store, lambda line: print(line, file=sys.stderr))
    device = next(iter(times.values())).device
    return describe_hours(estimated(plan, times, fleet or fleet_here(device, plan.spec.resources)))


def overrides_of(args: argparse.Namespace) -> list[str]:
    """Return what the command line changes of the space."""
    return [*args.overrides, *([f"name={args.name!r}"] if args.name else [])]


def submit(args: argparse.Namespace) -> int:
    """Send the study to a cluster; the space is checked here as far as it can be without its data."""
    from study.compute import submission as jobs

    spec = load_space(args.space, overrides_of(args))
    words = [word for override in args.overrides for word in ("--set", override)]
    words += ["--name", spec.name]
    if args.results != DEFAULT_RESULTS:
        words += ["--results", str(args.results)]
    words += ["--stages", args.stages] if args.stages else []
    words += [
        word for name in ("store", "optuna") if (url := getattr(args, name)) for word in (f"--{name}", url)
    ]
    return jobs.launch(args.submit, spec.name, args.space, words, args.dry_run)


def command_again() -> str:
    """Return the command line of this process, as a user types it."""
    program = ["python", sys.argv[0]] if sys.argv[0].endswith(".py") else [Path(sys.argv[0]).name]
    return shlex.join([*program, *sys.argv[1:]])


if __name__ == "__main__":
    sys.exit(main())
