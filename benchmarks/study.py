"""N trials of one pair as a study, beside the same trials in a plain Optuna loop without Ray or MLflow.

    python -m benchmarks.study                                  # N = 1, 4, 16
    python -m benchmarks.study --trials 1 4 --scenes 400 --epochs 2 --json result.json

SD-KD of resnet20 into wrn_10_1 on cluttered digits, random search, no early stopping, nothing confirmed.
The teacher is given (untrained: for the time it takes its weights do not matter). Each way is a process of
its own with an empty store, and its seconds are those of the whole command, imports and all:

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
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.machine import device, machine, save, table

ROOT = Path(__file__).parent.parent
WAYS = ("plain", "live", "remembered", "packed")
SPACE = """
from study.spec import *

STUDY = StudySpec(
    data=Data(name="cluttered_digits", validation=0.1, options={{"scenes": {scenes}, "test": 100}}),
    pairs=(Pair("resnet20", "wrn_10_1", weights={weights!r}),),
    methods=(SDD(alpha=LogFloat(0.25, 4), beta=Float(1, 8), scales=Choice((1, 2), (1, 2, 4))),),
    training=Training(epochs={epochs}, milestones=(), lr=0.02),
    search=Search(sampler="random", stop=None),
    budget=Budget(trials={trials}),
    confirm=Confirm(best=0, paper=False),
    resources=Resources(cpus_per_trial={cpus}, max_concurrent={at_once}, views={views!r}, {share}),
    name="study",
)
"""


def space(folder: Path, way: str, trials: int, args: argparse.Namespace) -> Path:
    """The space file of one way to run ``trials`` trials."""
    packed = way == "packed"
    text = SPACE.format(
        scenes=args.scenes,
        weights=str(file_teacher(folder)),
        epochs=args.epochs,
        trials=trials,
        cpus=1 if packed else os.cpu_count(),
        at_once=None if packed else 1,
        share="gpus_per_trial='measure'" if packed else "",
        views="off" if way in ("plain", "live") else "auto",
    )
    path = folder / "space.py"
    path.write_text(text)
    return path


def file_teacher(folder: Path) -> Path:
    """A file with an untrained teacher."""
    import torch

    from trainables import models

    torch.manual_seed(0)
    path = folder / "teacher.pth"
    torch.save({"model": models.build("resnet20", 10).state_dict()}, path)
    return path


def plain_loop(path: Path, results: Path) -> None:
    """The search of a space file as a script would do it."""
    import optuna
    import torch

    from study.loading import load_space
    from study.plan import resolve
    from study.teachers import file_teacher, read_teacher
    from trainables.data import prepare
    from trainables.loop import run_trial
    from trainables.remembering import Remembering
    from trainables.store import Store

    plan, store, on = resolve(load_space(path)), Store(results), device()
    (pair,), (arm,) = plan.spec.pairs, plan.arms
    state = read_teacher(Path(str(pair.weights)), pair.teacher, plan.num_classes, plan.image_size)
    teacher = file_teacher(store, pair.teacher, state, {})
    data = prepare(plan.raw, plan.data, on)
    torch.set_num_threads(plan.spec.resources.cpus_per_trial)
    search = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(plan.spec.budget.trials):
        trial = search.ask()
        config = plan.search_job(arm, pair, arm.method.suggest(trial), teacher).config
        result = run_trial(config, store, lambda *_: data, lambda metrics: None, on, room=Remembering("off"))
        search.tell(trial, result["history"][-1]["val/top1"])


def seconds_of(way: str, trials: int, args: argparse.Namespace) -> float:
    """Seconds of the whole command, from an empty store."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        path, results = space(folder, way, trials, args), folder / "results"
        if way == "plain":
            command = ["-m", "benchmarks.study", "--plain", str(path), str(results)]
        else:
            command = [str(ROOT / "study" / "launch.py"), "--space", str(path), "--results", str(results)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        environment.pop("MLFLOW_TRACKING_URI", None)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *command], env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise SystemExit(
                f"{way}, {trials} trials: exit code {done.returncode}\n{done.stdout}{done.stderr}"
            )
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
