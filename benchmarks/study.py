"""N trials of one pair as a study, beside the same trials in a plain Optuna loop without Ray or MLflow.

    python -m benchmarks.study                                  # N = 1, 4, 16
    python -m benchmarks.study --trials 1 4 --scenes 400 --epochs 2 --json result.json

Each way is a process of its own with an empty store, and its seconds are those of the whole command, imports
and all:

    plain          ask, train, tell; one trial after the other with all cores, teacher live
    live           sdd-study, one trial at a time with all cores, teacher live
    remembered     the same with remembered views
    packed         remembered, one trial a core at once (on a GPU: as many as were measured to pay)

The difference of ``live`` and ``plain`` is what the service costs; that of ``remembered`` and ``live`` what
the remembered views save within so many trials.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import machine, save, table
from benchmarks.studies import finish, launch, start, write_space

WAYS = ("plain", "live", "remembered", "packed")


def space(folder: Path, way: str, trials: int, args: argparse.Namespace) -> Path:
    """The space file of one way to run ``trials`` trials."""
    resources: dict[str, Any] = {"views": "off" if way in ("plain", "live") else "auto"}
    if way == "packed":
        resources |= {"cpus_per_trial": 1, "gpus_per_trial": "measure"}
    else:
        resources |= {"cpus_per_trial": os.cpu_count(), "max_concurrent": 1}
    return write_space(folder, scenes=args.scenes, epochs=args.epochs, trials=trials, **resources)


def plain_loop(path: Path, results: Path) -> None:
    """The search of a space file as a script would do it."""
    import optuna
    import torch

    from study.loading import load_space
    from study.plan.resolve import resolve
    from trainables.data import prepare
    from trainables.engine.device import best_device
    from trainables.engine.runtime import CachePolicy, Runtime
    from trainables.storage.run_store import RunStore
    from trainables.teacher.importing import file_teacher, read_teacher
    from trainables.training.loop import run_trial

    plan, store = resolve(load_space(path)), RunStore(results)
    runtime = Runtime(best_device(), cache_policy=CachePolicy("off"))
    (pair,), (space,) = plan.spec.pairs, plan.search_spaces
    state = read_teacher(Path(str(pair.weights)), str(pair.teacher), plan.num_classes, plan.image_size)
    teacher = file_teacher(store, str(pair.teacher), state, {})
    data = prepare(plan.raw, plan.data, runtime.device)
    torch.set_num_threads(plan.spec.resources.cpus_per_trial)
    search = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(plan.spec.budget.trials):
        trial = search.ask()
        config = plan.search_trial(space, pair, space.method.suggest(trial), teacher).config
        result = run_trial(config, store, lambda *_: data, lambda metrics: None, runtime)
        search.tell(trial, result["history"][-1]["val/top1"])


def seconds_of(way: str, trials: int, args: argparse.Namespace) -> float:
    """Seconds of the whole command, from an empty store."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        path, results = space(folder, way, trials, args), folder / "results"
        began = time.perf_counter()
        if way == "plain":
            finish(start("-m", "benchmarks.study", "--plain", path, results))
        else:
            finish(launch(path, results))
        return time.perf_counter() - began


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure all ways for each number of trials of ``args``, and print a table."""
    whole: dict[str, Any] = {"benchmark": "study", "machine": machine(), "scenes": args.scenes}
    whole |= {"epochs": args.epochs, "results": []}
    for trials in args.trials:
        times = {way: seconds_of(way, trials, args) for way in WAYS}
        shown: dict[str, Any] = {"trials": trials, **{f"{way}, s": value for way, value in times.items()}}
        shown |= {f"{way}, s a trial": value / trials for way, value in times.items()}
        whole["results"].append(shown)
        save(args.json, whole)
        print(table(whole["results"]), flush=True)
    return whole


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made_of = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made_of.add_argument("--trials", type=int, nargs="+", default=[1, 4, 16])
    made_of.add_argument("--scenes", type=int, default=2000, help="nine in ten are trained on")
    made_of.add_argument("--epochs", type=int, default=3)
    made_of.add_argument("--json", help="file for the result")
    made_of.add_argument("--plain", type=Path, nargs=2, metavar=("SPACE", "STORE"), help=argparse.SUPPRESS)
    return made_of


if __name__ == "__main__":
    given = parser().parse_args()
    if given.plain:
        plain_loop(*given.plain)
    else:
        run(given)
