"""How long `sdd-study report` takes, and how much memory, for 100, 1,000 and 10,000 runs of 240 epochs.

    python -m benchmarks.report                      # all sizes, from a results folder and from SQLite MLflow
    python -m benchmarks.report --sizes 100 --dir /fast/disk

The runs are made up, with the metrics that the training loop reports: 1 % teachers, 69 % search, 30 %
confirmed over three seeds. The MLflow database has MLflow's own schema and indexes, and rows in the order
in which a study writes them. Measured is the command in a process of its own, imports and all, without
figures 3 to 6 (nothing is stored to make them from): seconds on the clock, seconds of computing, peak memory.
Where other work keeps the cores busy only the second says something. Results: benchmarks/results/report.md.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from study.spec.methods import KD, SDD, Supervised
from study.tracking.client import client_at
from study.tracking.study_run import flat
from tests.study.made import config, write_folder

ROOT = Path(__file__).resolve().parent.parent
EPOCHS = 240
PAIRS = [
    ("resnet32x4", "MobileNetV2"),
    ("wrn_40_2", "vgg8"),
    ("wrn_40_2", "MobileNetV2"),
    ("ResNet50", "ShuffleV1"),
]
MEASURED = ["train/loss", "train/loss_ce", "train/loss_logit", "train/top1", "lr", "time/epoch_s"]
HELD_OUT = ["val/loss", "val/top1", "val/top5"]
TEST = ["test/loss", "test/top1", "test/top5"]
AT_ONCE = 8
"""Trials that run side by side, so that their rows interleave."""

BEGAN, SECONDS = 1_700_000_000, 1.25
"""When the study began, seconds since 1970, and the time between two reports."""


def trials(count: int) -> Iterator[dict[str, Any]]:
    """Trials as the ``trial`` lines of a journal have them."""
    for number in range(count):
        part, group = number / count, number // 3
        stage = "teachers" if part < 0.01 else "search" if part < 0.7 else "confirm"
        pair = PAIRS[(group if stage == "confirm" else number) % len(PAIRS)]
        if stage == "teachers":
            about = config(("", pair[0]), Supervised(), number, test="end")
        elif stage == "search":
            scales = ((1, 2), (1, 4), (1, 2, 4))[number % 3]
            method = SDD(alpha=0.25 + number % 997 / 300, beta=1 + number % 89 / 12, scales=scales)
            about = config(pair, method, 0)
        else:
            method = KD() if group % 5 == 0 else SDD(beta=1 + group % 701 / 100)
            about = config(pair, method, number % 3 + 1, fit="all", test="end")
        yield {
            "key": f"{number:016x}",
            "stage": stage,
            "pair": pair[0] if stage == "teachers" else "-".join(pair),
            "method": about.method.label,
            "role": "baseline" if stage == "confirm" else "",
            "arm": "",
            "config": about.to_dict(),
        }


def names_at(stage: str, epoch: int) -> list[str]:
    """Metrics that a trial of the stage reports after the epoch."""
    names = MEASURED if stage == "confirm" else MEASURED + HELD_OUT
    return names + TEST if epoch == EPOCHS and stage != "search" else names


def fill(results: Path, count: int) -> None:
    """Write the study to a journal and to an MLflow database, trials in groups that ran side by side."""
    results.mkdir()
    made = list(trials(count))
    with write_folder(results, "made", []).open("w") as file:
        for first in range(0, count, AT_ONCE):
            group = made[first : first + AT_ONCE]
            for trial in group:
                file.write(journal_line("trial", trial, BEGAN + SECONDS * EPOCHS * first))
            for epoch in range(1, EPOCHS + 1):
                for number, trial in enumerate(group, first):
                    metrics: dict[str, float] = {"epoch": epoch}
                    for place, name in enumerate(names_at(trial["stage"], epoch)):
                        noise = ((number * 31 + place * 17 + epoch) % 100) / 97.0
                        metrics[name] = 60.0 + 15.0 * (epoch / EPOCHS) + noise
                    when = BEGAN + SECONDS * (EPOCHS * first + epoch * AT_ONCE + number % AT_ONCE)
                    file.write(journal_line("report", {"key": trial["key"], "metrics": metrics}, when))
            for trial in group:
                end = {"key": trial["key"], "status": "done", "reason": "", "epochs": EPOCHS}
                file.write(journal_line("end", end, BEGAN + SECONDS * EPOCHS * (first + AT_ONCE)))
    fill_mlflow(results / "mlflow.db", made)


def journal_line(kind: str, about: dict[str, Any], when: float) -> str:
    """A line of a journal, as ``study.journal`` writes it."""
    return json.dumps({"type": kind, **about, "time": when}, separators=(",", ":")) + "\n"


RUN = (
    "INSERT INTO runs (run_uuid, status, start_time, end_time, lifecycle_stage, experiment_id) "
    "VALUES (?, 'FINISHED', ?, ?, 'active', ?)"
)
TAG = "INSERT INTO tags (key, value, run_uuid) VALUES (?, ?, ?)"
PARAM = "INSERT INTO params (key, value, run_uuid) VALUES (?, ?, ?)"
METRICS = f"""
INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)
SELECT name, 60.0 + 15.0 * (epoch / {EPOCHS}.0) + ((number * 31 + place * 17 + epoch) % 100) / 97.0,
       1000 * {BEGAN} + 1000 * {SECONDS} * ({EPOCHS} * first + epoch * {AT_ONCE} + number % {AT_ONCE}),
       run, epoch, 0
FROM firsts CROSS JOIN epochs CROSS JOIN made CROSS JOIN named
WHERE made.number >= first AND made.number < first + {AT_ONCE}
  AND named.stage = made.stage AND (epoch = {EPOCHS} OR NOT named.at_end)
"""
"""The rows of all trials in the order of time: groups, epochs, trials of the group, metrics."""


def fill_mlflow(path: Path, made: list[dict[str, Any]]) -> None:
    """The same study in a database that MLflow made; SQLite works the values out."""
    experiment = client_at(f"sqlite:///{path}").create_experiment("made")
    base = sqlite3.connect(path)
    base.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -600000;")
    base.execute("CREATE TEMP TABLE made (number INTEGER PRIMARY KEY, run TEXT, stage TEXT)")
    base.execute("CREATE TEMP TABLE firsts (first INTEGER)")
    base.execute("CREATE TEMP TABLE epochs (epoch INTEGER)")
    base.execute("CREATE TEMP TABLE named (stage TEXT, place INTEGER, name TEXT, at_end INTEGER)")
    base.execute(RUN, ("parent", 0, 0, experiment))
    base.executemany(TAG, [("stage", "study", "parent"), ("confirm_seeds", "3", "parent")])
    for number, trial in enumerate(made):
        run, first = f"{number:032x}", number // AT_ONCE * AT_ONCE
        begun = int(1000 * (BEGAN + SECONDS * EPOCHS * first))
        base.execute("INSERT INTO made VALUES (?, ?, ?)", (number, run, trial["stage"]))
        base.execute(RUN, (run, begun, int(begun + 1000 * SECONDS * EPOCHS * AT_ONCE), experiment))
        tags = {name: trial[name] for name in ("stage", "pair", "method", "role")}
        tags |= {"trial_key": trial["key"], "epochs": str(EPOCHS), "trial_status": "done", "reason": ""}
        base.executemany(TAG, [(name, value, run) for name, value in tags.items()])
        base.executemany(PARAM, [(name, value, run) for name, value in flat(trial["config"]).items()])
    base.executemany("INSERT INTO firsts VALUES (?)", [(n,) for n in range(0, len(made), AT_ONCE)])
    base.executemany("INSERT INTO epochs VALUES (?)", [(n,) for n in range(1, EPOCHS + 1)])
    for stage in ("teachers", "search", "confirm"):
        usual = names_at(stage, 1)
        rows = [(stage, at, name, name not in usual) for at, name in enumerate(names_at(stage, EPOCHS))]
        base.executemany("INSERT INTO named VALUES (?, ?, ?, ?)", rows)
    sql = "SELECT name, sql FROM sqlite_master WHERE tbl_name = 'metrics' AND type = 'index' AND sql NOT NULL"
    indexes = base.execute(sql).fetchall()
    for name, _ in indexes:
        base.execute(f"DROP INDEX {name}")
    base.execute(METRICS)
    for _, text in indexes:
        base.execute(text)
    base.commit()
    base.close()


def measure(arguments: list[str]) -> tuple[float, float, float]:
    """Seconds, seconds of computing and peak memory (GiB) of ``sdd-study report`` in a process of its own."""
    command = [sys.executable, "-m", "study.cli", "report", "--study", "made", "--no-networks", *arguments]
    began = time.perf_counter()
    child = os.posix_spawn(sys.executable, command, {**os.environ, "PYTHONPATH": str(ROOT)})
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return time.perf_counter() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 2**20


def main() -> None:
    """Measure all sizes and write the results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=[100, 1000, 10_000], metavar="RUNS")
    parser.add_argument("--dir", type=Path, help="where the studies are made; 8 GB for 10,000 runs")
    args = parser.parse_args()
    rows = []
    for size in args.sizes:
        with tempfile.TemporaryDirectory(dir=args.dir) as scratch:
            results = Path(scratch) / "results"
            making = multiprocessing.get_context("spawn").Process(target=fill, args=(results, size))
            making.start()  # in a process of its own: a child's peak memory begins at its parent's
            making.join()
            sources = {
                "folder": (["--results", str(results)], results / "made" / "journal.jsonl"),
                "SQLite MLflow": (
                    ["--tracking-uri", f"sqlite:///{results / 'mlflow.db'}"],
                    results / "mlflow.db",
                ),
            }
            tables = []
            for name, (arguments, data) in sources.items():
                out = Path(scratch) / name
                seconds, computing, memory = measure([*arguments, "--out", str(out)])
                megabytes = data.stat().st_size / 1e6
                numbers = f"{megabytes:,.0f} | {seconds:.1f} | {computing:.1f} | {memory:.2f}"
                rows.append(f"| {size:,} | {name} | {numbers} |")
                print(rows[-1], flush=True)
                tables.append({file.name: file.read_bytes() for file in (out / "tables").iterdir()})
            if tables[0] != tables[1]:
                raise SystemExit("the two sources gave different tables")
    head = ["| runs | source | MB | seconds | computing, s | peak GiB |", "|---:|---|---:|---:|---:|---:|"]
    title = "# sdd-study report: time and memory (benchmarks/report.py)"
    text = "\n".join([title, "", *head, *rows, "", f"{EPOCHS} epochs a run; {machine()}.", ""])
    (ROOT / "benchmarks" / "results" / "report.md").write_text(text)


def machine() -> str:
    """What the numbers were measured on."""
    import pandas

    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{os.cpu_count()} cores ({platform.machine()}), load average at the end {load}, "
        f"Python {platform.python_version()}, pandas {pandas.__version__}, SQLite {sqlite3.sqlite_version}"
    )


if __name__ == "__main__":
    main()
