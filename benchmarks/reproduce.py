"""The paper's CIFAR-100 result and the benchmarks of one machine, in one command that can be called again.

    python -m benchmarks.reproduce --data cifar100.npz --out results --minutes 600

FILE is an ``.npz`` file as ``trainables.data.packed`` reads it. First benchmarks 1, 2 and 4 (step, epoch,
loss). Then ResNet32x4 is trained for the paper's 240 epochs, and ResNet8x4 from it by KD and by SD-KD {1,2}
under the paper's settings, on the whole train split, over as many seeds as the minutes allow. Every epoch is
saved; called again with the same folder, it goes on where it stopped.

OUT/benchmarks/*.json   OUT/store/ (runs and the teacher)   OUT/results.json   OUT/results.md   OUT/curves.csv

The paper gives best test accuracies over the epochs of single runs; shown beside them are that number and the
accuracy of the last epoch, which no test image has chosen.
"""

from __future__ import annotations

import argparse
import csv
import dataclasses
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks import epoch, loss, step
from benchmarks.machine import machine, save, table
from trainables.config import Data, LogitTerm, Method, Teacher, Training, TrialConfig
from trainables.data import fingerprint, load_raw, prepare
from trainables.data.dataset import DataSet
from trainables.engine.device import best_device, best_precision
from trainables.engine.evaluation import Metrics
from trainables.engine.runtime import Runtime
from trainables.storage.run_store import RunStore
from trainables.training.loop import run_trial

TEACHER, STUDENT = "resnet32x4", "resnet8x4"
PAPER = {TEACHER: 79.42, "KD": 73.33, "SD-KD": 75.6}
METHODS = {
    "KD": Method(ce_weight=0.1, logit=LogitTerm(alpha=0.9)),
    "SD-KD": Method(ce_weight=0.1, logit=LogitTerm(alpha=0.9, scales=(1, 2), complementary_weight=2.0)),
}
SEEDS = 5
"""Of each method, where there is time."""


class TimeIsUp(Exception):
    """The minutes are over; what was reached is saved."""


class Reproduction:
    """The runs of one folder, as far as the time goes."""

    def __init__(self, args: argparse.Namespace) -> None:
        self.deadline = time.monotonic() + 60 * args.minutes
        self.out: Path = args.out
        self.store = RunStore(args.out / "store")
        self.runtime = Runtime(best_device())
        data = Data(name="packed", root=str(args.data))
        self.raw = load_raw(data)
        self.data = dataclasses.replace(data, fingerprint=fingerprint(data))
        decay = tuple(sorted({round(args.epochs * part / 240) for part in (150, 180, 210)}))
        self.training = Training(
            epochs=args.epochs,
            milestones=decay,
            precision=args.precision or best_precision(self.runtime.device),
        )
        self.rows: list[dict[str, Any]] = []

    def trial(self, student: str, method: Method, teacher: Teacher | None, seed: int) -> TrialConfig:
        """On the whole train split; the test split is measured after every epoch, as published code does."""
        return TrialConfig(
            data=self.data,
            student=student,
            teacher=teacher,
            method=method,
            training=self.training,
            fit="all",
            test="every",
            seed=seed,
        )

    def run(self, name: str, config: TrialConfig) -> dict[str, Any]:
        """Train ``config`` or go on with it; every epoch shows in the results."""
        history: list[Metrics] = []

        def report(metrics: Metrics) -> None:
            history.append(metrics)
            self.show(name, config, history)
            if time.monotonic() > self.deadline:
                raise TimeIsUp

        return run_trial(
            config,
            self.store,
            self._data,
            report,
            self.runtime,
        )

    def _data(self, config: TrialConfig, on: torch.device) -> DataSet:
        return self.runtime.process_cache.get("data", "", lambda: prepare(self.raw, config.data, on))

    def all(self) -> None:
        """The teacher, then the methods, seed by seed."""
        result = self.run(TEACHER, self.trial(TEACHER, Method(), None, seed=0))
        student = self.store.run(result["trial_key"]).student()
        self.store.file_teacher(result["weights"], student.read_bytes(), {"name": TEACHER})
        teacher = Teacher(name=TEACHER, weights=result["weights"])
        for seed in range(SEEDS):
            for name, method in METHODS.items():
                self.run(name, self.trial(STUDENT, method, teacher, seed))

    def show(self, name: str, config: TrialConfig, history: list[Metrics]) -> None:
        """Bring the files of results up to date."""
        row = {
            "run": name,
            "seed": config.seed,
            "epochs": f"{len(history)}/{config.training.epochs}",
            "test top-1, last epoch": history[-1]["test/top1"],
            "best test epoch": max(metrics["test/top1"] for metrics in history),
            "paper": PAPER[name],
            "minutes": sum(metrics["time/epoch_s"] for metrics in history) / 60,
            "images/s": 64 * 1000 / history[-1]["time/batch_ms"],
        }
        self.rows = [old for old in self.rows if (old["run"], old["seed"]) != (name, config.seed)] + [row]
        settings = {"data": str(self.data.name), "fingerprint": self.data.fingerprint}
        settings["training"] = dataclasses.asdict(self.training)  # type: ignore[assignment]
        save(self.out / "results.json", {"machine": machine(), **settings, "results": self.rows})
        (self.out / "results.md").write_text(table(self.rows) + "\n")
        path = self.out / f"curve-{name}-{config.seed}.csv"
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(history[0]))
            writer.writeheader()
            writer.writerows(history)


def benchmarks(out: Path, *, quick: bool) -> None:
    """Benchmarks 1, 2 and 4, those that have not been run."""
    small = {"step": ["--steps", "2", "--rounds", "1", "--pairs", "resnet8x4-resnet8x4", "--engine", "eager"]}
    small["step"] += ["--images", "256"]
    small["epoch"] = [
        "--images",
        "256",
        "--evaluated",
        "100",
        "--epochs",
        "1",
        "--pair",
        "resnet8x4-resnet8x4",
    ]
    small["loss"] = ["--classes", "100", "--regions", "1", "5", "--repeats", "2", "--no-compiled"]
    large = {"step": ["--steps", "100" if torch.cuda.is_available() else "8"], "epoch": [], "loss": []}
    for module in (step, epoch, loss):
        name = module.__name__.rpartition(".")[2]
        path = out / "benchmarks" / f"{name}.json"
        if not path.exists():
            running = path.with_suffix(".running")
            options = small[name] if quick else large[name]
            module.run(module.parser().parse_args([*options, "--json", str(running)]))
            running.rename(path)


def main(arguments: list[str] | None = None) -> int:
    """The command; 0 when everything is done, 130 when the minutes were over before."""
    made_of = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made_of.add_argument("--data", type=Path, required=True, help=".npz file")
    made_of.add_argument("--out", type=Path, required=True, help="folder for what comes out")
    made_of.add_argument("--minutes", type=float, default=600.0)
    made_of.add_argument("--epochs", type=int, default=240, help="fewer only to try the command out")
    made_of.add_argument(
        "--precision", choices=("float32", "tf32", "bf16"), help="default: the device's best"
    )
    made_of.add_argument("--quick-benchmarks", action="store_true", help="tiny ones, to try the command out")
    args = made_of.parse_args(arguments)
    args.out.mkdir(parents=True, exist_ok=True)
    began = Reproduction(args)
    benchmarks(args.out, quick=args.quick_benchmarks)
    done = True
    try:
        began.all()
    except TimeIsUp:
        done = False
    print(table(began.rows))
    print("done" if done else "the time is up; the same command goes on from here")
    return 0 if done else 130


if __name__ == "__main__":
    raise SystemExit(main())
