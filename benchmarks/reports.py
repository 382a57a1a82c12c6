"""Reports at a given rate into the journal and MLflow, as a launcher takes them: which of the two keeps up.

    python -m benchmarks.reports                                    # 1,000 a second for 30 s, SQLite
    python -m benchmarks.reports --rate 300 --mlflow http://127.0.0.1:5000 --json result.json

``--trials`` trials report in turn, each epoch with the metrics of a real one, through the study's recorder: a
line on disk for each, then the thread that brings it to MLflow. A report is late by the time between when it
was due and when the journal has it. After the last one MLflow is given ``--patience`` seconds to catch up.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import machine, save, table
from benchmarks.scale import plan, searched
from benchmarks.studies import METRICS
from study.journal.journal import Journal
from study.journal.recorder import Recorder
from study.tracking.client import connect
from study.tracking.uploader import MlflowUploader
from study.workspace.folder import StudyFolder
from trainables.config.serialization import to_plain


def replay(recorder: Recorder, planned_trials: list[Any], rate: float, seconds: float) -> list[float]:
    """Report for so many seconds; how late each report was in the journal, seconds."""
    late, began = [], time.perf_counter()
    for number in range(int(rate * seconds)):
        due = began + number / rate
        time.sleep(max(0.0, due - time.perf_counter()))
        epoch, which = divmod(number, len(planned_trials))
        recorder.reported(
            planned_trials[which], {"epoch": epoch + 1, **dict.fromkeys(METRICS, 1 / (1 + number))}
        )
        late.append(time.perf_counter() - due)
    return late


def in_mlflow(client: Any, study: str) -> int:
    """Reports that MLflow has."""
    experiment = client.get_experiment_by_name(study)
    if experiment is None:
        return 0
    runs = client.search_runs([experiment.experiment_id], max_results=10_000)
    return sum(int(run.data.tags.get("epochs", 0)) for run in runs)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure, and print a table."""
    whole: dict[str, Any] = {"benchmark": "reports", "machine": machine(), "rate": args.rate}
    whole |= {"seconds": args.seconds, "trials": args.trials, "mlflow": args.mlflow.split(":")[0]}
    if args.mlflow != "sqlite":
        os.environ["MLFLOW_TRACKING_URI"] = args.mlflow
    study = plan(args.trials, epochs=int(args.rate * args.seconds / args.trials) + 1)
    with tempfile.TemporaryDirectory() as scratch:
        folder = StudyFolder(Path(scratch), f"reports-{os.getpid()}")
        journal = Journal(folder.journal)
        search = searched(study, journal, f"sqlite:///{scratch}/optuna.db")
        tracker = MlflowUploader(folder, to_plain(study.spec), print)
        recorder = Recorder(journal, [tracker])
        planned_trials = []
        for number in range(args.trials):
            planned = search.ask(str(number))
            assert planned is not None
            planned_trials.append(planned)
            recorder.began(planned)
        cpu, began = time.process_time(), time.perf_counter()
        late = replay(recorder, planned_trials, args.rate, args.seconds)
        took, spent = time.perf_counter() - began, time.process_time() - cpu
        client = connect(folder)
        there = in_mlflow(client, folder.name)
        done = tracker.close(args.patience)
        whole["results"] = {
            "reports": len(late),
            "journal, a second": len(late) / took,
            "late, median ms": 1e3 * statistics.median(late),
            "late, worst s": max(late),
            "launcher's processor, share": spent / took,
            "in MLflow at the last report": there,
            "MLflow has all after, s": time.perf_counter() - began - took if done else None,
            "in MLflow at the end": in_mlflow(client, folder.name),
        }
    print(table([{"": name, "measured": value} for name, value in whole["results"].items()]))
    return whole


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made_of = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made_of.add_argument("--rate", type=float, default=1000, help="reports a second")
    made_of.add_argument("--seconds", type=float, default=30)
    made_of.add_argument("--trials", type=int, default=100, help="that report in turn")
    made_of.add_argument("--patience", type=float, default=300, help="seconds for MLflow to catch up")
    made_of.add_argument("--mlflow", default="sqlite", metavar="URL", help="sqlite, or a server's URL")
    made_of.add_argument("--json", type=Path, metavar="FILE")
    return made_of


if __name__ == "__main__":
    asked = parser().parse_args()
    save(asked.json, run(asked))
