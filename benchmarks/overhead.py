"""What the service itself costs: starting, going from trial to trial, reporting, opening a large study.

    python -m benchmarks.overhead
    python -m benchmarks.overhead --finished 200 --epochs 10 --json result.json

A study of short trials runs one trial at a time on one core; times are read from its journal, in which each
report bears the second at which it came and the seconds that its epoch took:

    start          from the command to the first training step
    next (warm)    from one trial's end to the next one's first step, in the same process
    next (fresh)   from the first call of Ray Tune to the first step, in a process that has to be started
    report         between two epochs of a trial, less the same in a plain loop over ``run_trial``: the report
                   alone, since both save their checkpoints

Beside the first and the third, in the same run, what a script needs that starts Ray, and in one actor imports
what a trial's process imports and takes one step: ``bare``.

Then a study of ``--finished`` trials of ``--epochs`` epochs is launched for one more: seconds from the
command to that trial being asked for, less those of a study that has none; the launcher's peak memory until
then.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.large import opened, planned_trials
from benchmarks.machine import machine, save, table
from benchmarks.studies import finish, launch, start, write_space
from study.journal.journal import read_lines
from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.workspace.folder import StudyFolder

Lines = list[dict[str, Any]]
BARE = """
import os, time
import ray
from ray import tune

ray.init(address="local", include_dashboard=False, log_to_driver=False, num_cpus=len(os.sched_getaffinity(0)))

class Actor:
    def step(self):
        import ray.train.torch
        import torch

        torch.nn.Linear(8, 8)(torch.ones(1, 8)).sum().backward()
        return time.time()

asked = time.time()
print(asked, ray.get(ray.remote(num_cpus=1)(Actor).remote().step.remote()))
"""
GOALS = {"start, s": 12, "next (warm), s": 1, "next (fresh), s": 6, "report, ms": 20}
GOALS |= {"open 2,000, s": 5, "launcher, GiB": 1}


def space(folder: Path, trials: int, epochs: int) -> Path:
    """A space file of short trials, one at a time."""
    one = {"cpus_per_trial": 1, "max_concurrent": 1, "views": "off"}
    return write_space(folder, scenes=200, epochs=epochs, trials=trials, **one)


def journal_of(path: Path, results: Path) -> tuple[float, Lines]:
    """Run a study to its end: when it was started, and its journal."""
    began = time.time()
    finish(launch(path, results))
    return began, list(read_lines(results / "study" / "journal.jsonl"))


def bare_start() -> dict[str, float]:
    """Seconds from a bare script's start, and from its asking for an actor, to that actor's first step."""
    began, process = time.time(), start("-c", BARE)
    printed, _ = process.communicate()
    asked, stepped = map(float, printed.splitlines()[-1].split())
    return {"bare start, s": stepped - began, "bare fresh, s": stepped - asked}


def first_steps(lines: Lines) -> list[float]:
    """When the first step of each trial began: its first report less the seconds of the epoch."""
    return [line["time"] - spent(line) for line in lines if reports(line) and line["metrics"]["epoch"] == 1]


def reports(line: dict[str, Any]) -> bool:
    """Whether a line is a report."""
    return bool(line["type"] == "report")


def spent(line: dict[str, Any]) -> float:
    """Seconds that the epoch behind a report took."""
    metrics = line["metrics"]
    return float(metrics["time/epoch_s"] + metrics.get("time/compile_s", 0.0))


def between_trials(lines: Lines) -> float:
    """Median seconds from the end of a trial of the search to the first step of the next."""
    searched = {line["key"] for line in lines if line.get("stage") == "search" and "key" in line}
    lines = [line for line in lines if line.get("key") in searched]
    ends = [line["time"] for line in lines if line["type"] == "end"]
    gaps = (start - end for end, start in zip(ends, first_steps(lines)[1:], strict=False))
    return float(statistics.median(gaps))


def between_epochs(lines: Lines) -> list[float]:
    """Seconds between two epochs of a trial that neither trains nor evaluates."""
    pairs = itertools.pairwise(line for line in lines if reports(line))
    same = [(one, two) for one, two in pairs if one["key"] == two["key"]]
    return [two["time"] - one["time"] - spent(two) for one, two in same]


def plain_lines(plan: Plan, folder: Path, trials: int) -> Lines:
    """Reports of the same trials from a loop over ``run_trial``, each with the time of its call."""
    import torch

    from trainables.data import prepare
    from trainables.engine.device import best_device
    from trainables.engine.runtime import CachePolicy, Runtime
    from trainables.training.loop import run_trial

    torch.set_num_threads(1)
    found = StudyFolder(folder / "plain", "study")
    runtime = Runtime(best_device(), cache_policy=CachePolicy("off"))
    data, lines = prepare(plan.raw, plan.data, runtime.device), Lines()
    for planned in itertools.islice(planned_trials(plan, found), trials):

        def report(metrics: dict[str, float], key: str = planned.key) -> None:
            lines.append({"type": "report", "key": key, "metrics": metrics, "time": time.time()})

        run_trial(planned.config, found.store, lambda *_: data, report, runtime)
    return lines


def short_study(folder: Path, trials: int, epochs: int) -> dict[str, float]:
    """Times of a study of short trials."""
    path = space(folder, trials, epochs)
    began, lines = journal_of(path, folder / "short")
    tune = next(line["time"] for line in lines if line["type"] == "slots")
    plain = plain_lines(resolve(load_space(path)), folder, trials)
    ours, theirs = (statistics.median(between_epochs(each)) for each in (lines, plain))
    return {
        "start, s": first_steps(lines)[0] - began,
        "next (warm), s": between_trials(lines),
        "next (fresh), s": first_steps(lines)[0] - tune,
        "report, ms": 1000 * (ours - theirs),
        "epoch to epoch, ms": 1000 * ours,
        "plain loop's, ms": 1000 * theirs,
    }


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure, and print a table beside the goals."""
    whole: dict[str, Any] = {"benchmark": "overhead", "machine": machine(), "finished": args.finished}
    whole |= {"epochs": args.epochs, "results": {}}
    with tempfile.TemporaryDirectory() as scratch:
        for part in (
            bare_start,
            lambda: short_study(Path(scratch), args.trials, 5),
            lambda: opened(
                space(Path(scratch), args.finished, args.epochs), Path(scratch), args.finished, args.epochs
            ),
        ):
            whole["results"] |= part()
            save(args.json, whole)
    rows = [
        {"": name, "measured": value, "goal": GOALS.get(name)} for name, value in whole["results"].items()
    ]
    print(table(rows), flush=True)
    return whole


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made_of = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made_of.add_argument("--trials", type=int, default=6, help="of the short study")
    made_of.add_argument("--finished", type=int, default=2000, help="trials of the large study")
    made_of.add_argument("--epochs", type=int, default=240, help="of each of them")
    made_of.add_argument("--json", help="file for the result")
    return made_of


if __name__ == "__main__":
    run(parser().parse_args())
