"""What the head of a cluster does for each trial and each report, without the trials: how many it carries.

    python -m benchmarks.scale                                       # 2,000 trials of 10 epochs, SQLite
    python -m benchmarks.scale --optuna postgresql+psycopg:///optuna --mlflow http://127.0.0.1:5000

Trials of a TPE search are suggested, begun, reported and ended one after the other: the searcher with
Optuna's storage, the journal with a sync to disk for each line, and MLflow as the launcher's thread does.
Numbers are milliseconds of processor time of this process and of wall-clock time; on a busy machine the
former say more.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.machine import machine, save
from study.journal.journal import Journal
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.search.history import SearchHistory
from study.search.optuna_searcher import OptunaSearcher
from study.search.optuna_storage import open_optuna_storage
from study.spec import KD, SDD, Budget, Choice, Confirm, Float, LogFloat, Pair, Search, StudySpec, Training
from study.tracking.client import connect
from study.tracking.run_writer import RunWriter
from study.workspace.folder import StudyFolder
from trainables.config import Data, Teacher
from trainables.config.serialization import to_plain

Spent = dict[str, list[float]]


@contextmanager
def timed(spent: Spent, what: str, count: int = 1) -> Iterator[None]:
    """Add the processor and wall-clock seconds of a block to ``spent``, for ``count`` pieces of work."""
    cpu, wall = time.process_time(), time.perf_counter()
    yield
    entry = spent.setdefault(what, [0.0, 0.0, 0])
    entry[0] += time.process_time() - cpu
    entry[1] += time.perf_counter() - wall
    entry[2] += count


def plan(trials: int, epochs: int) -> Plan:
    """A search over four settings, on data that are made."""
    spec = StudySpec(
        data=Data(name="cluttered_digits", validation=0.2, options={"scenes": 100, "test": 100}),
        pairs=(Pair("resnet8", "wrn_10_1"),),
        methods=(
            KD(),
            SDD(
                base=Choice("kd", "dkd", "nkd"),
                alpha=LogFloat(0.25, 4),
                beta=Float(1, 8),
                scales=Choice((1, 2), (1, 2, 4)),
            ),
        ),
        training=Training(epochs=epochs, batch_size=32, milestones=(), precision="float32"),
        search=Search(stop=None),
        budget=Budget(trials=trials),
        confirm=Confirm(seeds=1),
        name="scale",
    )
    return resolve(spec)


def searched(study: Plan, journal: Journal, optuna_url: str) -> OptunaSearcher:
    """The search of the plan's first arm, its teachers taken as trained."""
    teachers = {pair.label: Teacher(name=str(pair.teacher), weights="0" * 64) for pair in study.spec.pairs}
    return OptunaSearcher(
        study.search_spaces[0],
        SearchHistory(study, teachers, journal.records),
        open_optuna_storage(optuna_url),
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure, and print what a trial and a report cost, by the number of trials that came before."""
    whole: dict[str, Any] = {"benchmark": "scale", "machine": machine(), "epochs": args.epochs, "spans": []}
    whole |= {"optuna": args.optuna.split(":")[0], "mlflow": args.mlflow.split(":")[0]}
    study = plan(args.trials, args.epochs)
    with tempfile.TemporaryDirectory() as scratch:
        folder = StudyFolder(Path(scratch), "scale")
        journal = Journal(folder.journal)
        url = args.optuna if "://" in args.optuna else f"sqlite:///{scratch}/optuna.db"
        search = searched(study, journal, url)
        mirror = None
        if args.mlflow != "none":
            import os

            if args.mlflow.startswith("http"):
                os.environ["MLFLOW_TRACKING_URI"] = args.mlflow
            mirror = RunWriter(connect(folder), folder, to_plain(study.spec))
        for first in range(0, args.trials, args.span):
            spent: Spent = {}
            for number in range(first, min(first + args.span, args.trials)):
                one_trial(
                    str(number),
                    search,
                    journal,
                    mirror if number % args.every == 0 else None,
                    spent,
                    args.epochs,
                )
            row: dict[str, Any] = {"trials_before": first}
            for what, (cpu, wall, count) in spent.items():
                row[what] = {"cpu_ms": round(1e3 * cpu / count, 3), "wall_ms": round(1e3 * wall / count, 3)}
            whole["spans"].append(row)
            print(first, {name: value for name, value in row.items() if name != "trials_before"}, flush=True)
        began = time.perf_counter()
        count = len(Journal(folder.journal).records)
        whole["journal_bytes"] = folder.journal.stat().st_size
        whole["read_again"] = {"trials": count, "seconds": round(time.perf_counter() - began, 2)}
        again = whole["read_again"]["seconds"]
        print(f"journal: {whole['journal_bytes'] / 1e6:.1f} MB, read again in {again} s")
    return whole


def one_trial(
    name: str, search: OptunaSearcher, journal: Journal, mirror: RunWriter | None, spent: Spent, epochs: int
) -> None:
    """A trial's life as the launcher sees it."""
    with timed(spent, "suggest"):
        planned = search.ask(name)
    assert planned is not None
    with timed(spent, "journal line", epochs + 2):
        journal.begin(planned)
    value = 0.0
    for epoch in range(1, epochs + 1):
        value = 50 + 5 * hash((planned.key, epoch)) / 2**63
        metrics = {"epoch": epoch, "val/top1": value, "val/top5": value, "train/loss": 1.0, "lr": 0.05}
        with timed(spent, "journal line", 0):
            journal.report(planned.key, metrics)
    with timed(spent, "journal line", 0):
        journal.end(planned.key, "done")
    with timed(spent, "tell Optuna the end"):
        search.tell(name, {"epoch": epochs, "val/top1": value})
    if mirror is not None:
        with timed(spent, "MLflow, a trial"):
            mirror.send(journal.records[planned.key])


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made_of = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made_of.add_argument("--trials", type=int, default=2000)
    made_of.add_argument("--epochs", type=int, default=10)
    made_of.add_argument(
        "--span", type=int, default=500, help="trials that one row of the result is a mean of"
    )
    made_of.add_argument("--every", type=int, default=20, help="send every so many-th trial to MLflow")
    made_of.add_argument("--optuna", default="sqlite", metavar="URL")
    made_of.add_argument("--mlflow", default="sqlite", metavar="URL", help="sqlite, none, or a server's URL")
    made_of.add_argument("--json", type=Path, metavar="FILE")
    return made_of


if __name__ == "__main__":
    asked = parser().parse_args()
    save(asked.json, run(asked))
