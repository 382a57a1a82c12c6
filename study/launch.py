"""Run a study: python study/launch.py --space search_spaces/quickstart.py"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # run as a script: this folder must not lead sys.path
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
import os
import shlex
import signal
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

from rich.console import Console

from study.commands.common import user_path
from study.errors import DONE, INTERRUPTED, TRIALS_FAILED, WRONG_INPUT, SpecError, StudyHalted, UserError
from study.loading import load_space
from study.plan import precision
from study.tune.failures import told
from study.workspace import locations as places
from study.workspace.folder import StudyFolder
from study.workspace.locations import Locations
from trainables.config.serialization import ConfigError, suggestion
from trainables.engine import device as device_
from trainables.storage.blobs import StorageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from study.plan.plan import Plan
    from study.spec.study import StudySpec
    from trainables.engine.device import Precision

EPILOG = """
examples:
  python study/launch.py --space search_spaces/quickstart.py
  python study/launch.py --space quickstart --set budget.trials=24 --set confirm.seeds=5
  python study/launch.py --space quickstart --set budget.hours=2 --stages teachers,search
  python study/launch.py --space search_spaces/quickstart.py --dry-run
  python study/launch.py --space my_space.py --address auto --results /mnt/shared/results
  python study/launch.py --space my_space.py --submit http://localhost:8265

The same command again goes on where the last one stopped: finished trials are not run again, half-finished
ones go on from their checkpoints. Ctrl-C is safe at any time.

--set takes the path of a field as it stands in the space file and a Python literal, a domain or plain text:
  budget.trials=20   training.lr=0.02   pairs.0.student=resnet20   methods.1.beta=Float(1, 8)
  methods.1.scales="Choice((1, 2), (1, 2, 4))"   search.stop=None

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
    """The options of ``launch``."""
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
        "--results", type=user_path, default=Path("results"), metavar="DIR", help="results folder (./results)"
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
        "--dry-run", action="store_true", help="print the resolved study and what it runs; do nothing"
    )


def main(argv: list[str] | None = None) -> int:
    """Parse ``argv`` and run; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="launch.py",
        description=__doc__,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    return run(parser.parse_args(argv))


def run(args: argparse.Namespace) -> int:
    """Launch the study that ``args`` describe; user errors are one line and exit code 2."""
    try:
        if args.submit:
            return submit(args)
        spec = load_space(args.space, overrides_of(args))
        folder = StudyFolder(args.results.absolute(), spec.name, Locations.from_arguments(args))
        stages = chosen_stages(args.stages)
        if args.dry_run:
            from study.plan.describe import describe

            plan = resolved(spec, args, lambda: precision.kept(folder) or device_.best_precision())
            check_stages(stages, plan, folder)
            Console(highlight=False).print(describe(plan, folder), soft_wrap=True, markup=False)
            return DONE
        return execute(spec, folder, stages, args)
    except UserError as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return WRONG_INPUT


def overrides_of(args: argparse.Namespace) -> list[str]:
    """What the command line changes of the space."""
    return [*args.overrides, *([f"name={args.name!r}"] if args.name else [])]


def resolved(spec: StudySpec, args: argparse.Namespace, auto: Callable[[], Precision]) -> Plan:
    """The study with its data and all it names; creates nothing. ``auto`` is asked what precision that is."""
    from study.plan.resolve import resolve

    try:
        return resolve(spec, auto)
    except ConfigError as error:
        raise SpecError(f"{args.space}: {error}") from None


def submit(args: argparse.Namespace) -> int:
    """Send the study to a cluster; the space is checked here as far as it can be without its data."""
    from study.compute import submission as jobs

    spec = load_space(args.space, overrides_of(args))
    words = [word for override in args.overrides for word in ("--set", override)]
    words += ["--name", spec.name]
    if args.results != Path("results"):
        words += ["--results", str(args.results)]
    words += ["--stages", args.stages] if args.stages else []
    words += [
        word for name in ("store", "optuna") if (url := getattr(args, name)) for word in (f"--{name}", url)
    ]
    return jobs.launch(args.submit, spec.name, args.space, words, args.dry_run)


def chosen_stages(names: str | None) -> tuple[str, ...]:
    """The stages of ``--stages``."""
    from study.plan.plan import STAGES

    chosen = STAGES if names is None else tuple(name.strip() for name in names.split(","))
    for name in chosen:
        if name not in STAGES:
            raise SpecError(f"--stages: there is no stage '{name}'; {suggestion(name, STAGES)}")
    return chosen


def check_stages(chosen: tuple[str, ...], plan: Plan, folder: StudyFolder) -> None:
    """Raise :class:`SpecError` where what ``chosen`` stages need of those left out is not there."""
    if "teachers" not in chosen and set(chosen) & {"search", "confirm"}:
        for pair in plan.spec.pairs:
            if pair.weights is None and folder.store.run(plan.teacher_trial(pair).key).result() is None:
                raise SpecError(
                    f"--stages: teacher {pair.teacher} is not trained yet; add the stage teachers"
                )


def execute(spec: StudySpec, folder: StudyFolder, stages: tuple[str, ...], args: argparse.Namespace) -> int:
    """Run a study to its end, or until it is interrupted."""
    from study.compute.cluster import Cluster
    from study.plan.expected import expects_trials

    for signum in (signal.SIGINT, signal.SIGTERM):  # a shell's background jobs ignore SIGINT by default
        signal.signal(signum, _interrupt)
    began, console, runs = time.monotonic(), Console(highlight=False), set(stages) != {"report"}

    def leave(reason: str) -> None:
        console.show_cursor()
        say_how_to_go_on(console, f"stopped: {reason}")
        sys.stdout.flush()
        os._exit(INTERRUPTED)

    try:
        with closing(Cluster(args.address, leave)) as cluster:
            if runs and expects_trials(folder, spec):
                cluster.begin()
            plan = resolved(spec, args, lambda: precision.kept(folder) or cluster.precision())
            check_stages(stages, plan, folder)
            for remark in plan.raw.remarks:
                console.print(f"{plan.data.name}: {remark}", soft_wrap=True, markup=False)
            if runs and plan.auto is not None and (best := cluster.precision()) != plan.auto:
                kept = f"precision: {plan.auto}, as when this study began; auto would be {best} here"
                console.print(f"{kept} (training.precision changes it)", soft_wrap=True)
            from study.session import Session

            with Session(plan, folder, cluster, console) as session:
                session.run(stages)
    except (KeyboardInterrupt, StudyHalted, StorageError, OSError) as reason:
        what = "interrupted" if isinstance(reason, KeyboardInterrupt) else f"stopped: {told(reason)}"
        say_how_to_go_on(console, what)
        return INTERRUPTED
    return DONE if session.conclude(time.monotonic() - began) else TRIALS_FAILED


def say_how_to_go_on(console: Console, what: str) -> None:
    """The last words of a launch that did not reach its end."""
    program = ["python", sys.argv[0]] if sys.argv[0].endswith(".py") else [Path(sys.argv[0]).name]
    command = shlex.join([*program, *sys.argv[1:]])
    console.print(f"{what}; nothing is lost. Go on with:\n  {command}", soft_wrap=True, markup=False)


def _interrupt(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
