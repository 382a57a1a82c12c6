"""One training step: plain research code, ours with the teacher computed, ours with its views remembered.

The last also by single steps: whole ones, which need nothing of the host and are one graph on a GPU, must not
be slower where nothing is recorded.

    python -m benchmarks.step                                   # all pairs
    python -m benchmarks.step --pairs resnet32x4-resnet8x4 --steps 10 --json result.json

Batch 64, 32x32 images, 100 classes, SD-KD; in one run, all by turns, so that their ratio means
something where the machine is shared. A step is everything from the next batch to the update: loading and
augmentation as well. Each turn is kept with the matrix rate before or after it, the lower of the two: on a
shared machine it comes and goes. Ours is compiled unless ``--engine eager``; compilation is shown apart. Made
images: the time does not depend on what they show.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

import trainables.models as models
from benchmarks import made
from benchmarks.machine import machine, save, seconds, summary, table
from benchmarks.reference import Reference
from trainables.data import RawData, prepare
from trainables.engine.device import best_device, best_precision
from trainables.engine.engine import Engine
from trainables.engine.evaluation import MetricTotals
from trainables.engine.process_cache import ProcessCache
from trainables.engine.runtime import CachePolicy, CompileMode, Runtime, TrialInputs
from trainables.engine.whole_step import epoch_values
from trainables.models.profile import multiply_adds
from trainables.storage.run_store import RunStore
from trainables.training.build import build_engine

PAIRS = {
    "resnet32x4-resnet8x4": (1, 2),
    "resnet32x4-ShuffleV1": (1, 2, 4),
    "wrn_40_2-vgg8": (1, 2, 4),
    "ResNet50-MobileNetV2": (1, 2, 4),
}
"""The paper's scales of each pair."""


class Ours:
    """An engine on made images; :meth:`run` trains on the first ``steps`` whole batches of an epoch.

    Args:
        runtime: with the process cache that the engines of a pair share, so that they run the same step.
    """

    def __init__(
        self, pair: str, raw: RawData, store: Path, precision: str, steps: int, runtime: Runtime
    ) -> None:
        teacher, student = pair.split("-")
        config = made.trial(store, teacher, student, PAIRS.get(pair, (1, 2, 4)), precision)
        began = time.perf_counter()
        self.data = runtime.process_cache.get(
            "data", len(raw.train_images), lambda: prepare(raw, config.data, runtime.device)
        )
        self.engine: Engine = build_engine(TrialInputs(config, RunStore(store), self.data), runtime)
        self.plan, _ = self.data.train.plan(config.training.batch_size, epoch=1).cut(steps)
        self.built_s = time.perf_counter() - began

    def run(self) -> None:
        """The first steps of an epoch, the same images in the same views each time."""
        self.engine.train(self.data.train, self.plan, epoch=1, seed=0)

    def run_single(self) -> None:
        """The same, each step called by the host with its batch, as a last batch that is smaller is."""
        totals = MetricTotals()
        assert self.engine.teacher is not None
        self.engine.teacher.begin_epoch(self.data.train, self.plan)
        for batch in self.data.train.show(self.plan, (0, 1)):
            terms, logits = self.engine.step(batch, epoch=1)
            totals.add(len(batch.target), **epoch_values(terms, logits, batch.target))
        totals.means()


def measure(pair: str, args: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds a step of each, by turns."""
    on, batch = best_device(), 64
    raw = made.raw(max(args.images, args.steps * batch), 100)
    teacher, student = pair.split("-")
    with tempfile.TemporaryDirectory() as folder:
        reference = Reference(
            raw, len(raw.train_images), teacher, student, PAIRS.get(pair, (1, 2, 4)), on, workers=args.workers
        )
        mode: CompileMode = args.engine
        cache = ProcessCache()
        live, views = (
            Ours(
                pair,
                raw,
                Path(folder),
                args.precision,
                args.steps,
                Runtime(on, compile_mode=mode, cache_policy=policy, process_cache=cache),
            )
            for policy in (CachePolicy("off"), CachePolicy())
        )
        runs = {"reference": lambda: reference.run(args.steps), "live": live.run, "remembered": views.run}
        runs["single"] = views.run_single
        first = {name: seconds(run, on) for name, run in runs.items()}  # warm up; fill the views
        times: dict[str, list[float]] = {name: [] for name in runs}
        rates: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(args.rounds):
            for name, run in runs.items():
                before = matrix_rate(args.precision, on)
                times[name].append(1000 * seconds(run, on) / args.steps)
                rates[name].append(min(before, matrix_rate(args.precision, on)))
        compiled = live.engine.compiled is not None
    result: dict[str, Any] = {"pair": pair, "scales": PAIRS.get(pair, (1, 2, 4)), "compiled": compiled}
    result |= {f"{name}_ms": summary(values) for name, values in times.items()}
    middle = {name: result[f"{name}_ms"]["median"] for name in runs}
    for name in ("live", "remembered"):
        result[f"{name}_times_faster"] = middle["reference"] / middle[name]
        result[f"{name}_tflops"] = 2e-9 * batch * step_cost(pair, live=name == "live") / middle[name]
    result["turns"] = {name: {"ms": times[name], "matrix_tflops": rates[name]} for name in runs}
    result["whole_times_faster_than_single"] = middle["single"] / middle["remembered"]
    return result | {"built_s": {"live": live.built_s, "remembered": views.built_s}, "first_s": first}


def step_cost(pair: str, *, live: bool) -> int:
    """Multiply-adds of a step for one image: the student forward and, twice that, backward; the teacher."""
    teacher, student = (multiply_adds(models.build(name, made.CLASSES), 32) for name in pair.split("-"))
    return 3 * student + (teacher if live else 0)


def matrix_rate(precision: str, on: torch.device) -> float:
    """TFLOP/s that a product of large square matrices reaches here, the best of ten."""
    size = 8192 if on.type == "cuda" else 1024
    a = torch.randn(size, size, device=on, dtype=torch.bfloat16 if precision == "bf16" else torch.float32)
    return 2e-12 * size**3 / min(seconds(lambda: a @ a, on) for _ in range(10))


def row(result: dict[str, Any], rate: float) -> dict[str, Any]:
    """What is shown of a result."""
    shown: dict[str, Any] = {"pair": result["pair"]}
    shown |= {f"{name}, ms": result[f"{name}_ms"]["median"] for name in ("reference", "live", "remembered")}
    for name in ("live", "remembered"):
        shown[f"{name}, times faster"] = result[f"{name}_times_faster"]
        shown[f"{name}, of the matrix rate"] = f"{result[f'{name}_tflops'] / rate:.0%}"
    return shown | {"single steps, ms": result["single_ms"]["median"]}


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure the pairs of ``args``, and print a table."""
    on = best_device()
    args.precision = args.precision or best_precision(on)
    whole: dict[str, Any] = {"benchmark": "step", "machine": machine(), "batch": 64, "steps": args.steps}
    whole |= {"rounds": args.rounds, "precision": args.precision, "reference_workers": args.workers}
    whole |= {"matrix_tflops": matrix_rate(args.precision, on), "results": []}
    for pair in args.pairs:
        whole["results"].append(measure(pair, args))
        save(args.json, whole)
        print(table([row(result, whole["matrix_tflops"]) for result in whole["results"]]), flush=True)
    return whole


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made_of = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made_of.add_argument("--pairs", nargs="+", default=list(PAIRS), metavar="TEACHER-STUDENT")
    made_of.add_argument("--steps", type=int, default=8, help="steps of a turn")
    made_of.add_argument(
        "--images", type=int, default=50_000, help="of an epoch, of which turns take the first"
    )
    made_of.add_argument("--rounds", type=int, default=5, help="turns of each")
    made_of.add_argument("--workers", type=int, default=min(8, os.cpu_count() or 1), help="of the reference")
    made_of.add_argument("--engine", choices=("auto", "eager", "compiled"), default="compiled")
    made_of.add_argument(
        "--precision", choices=("float32", "tf32", "bf16"), help="default: the device's best"
    )
    made_of.add_argument("--json", help="file for the result")
    return made_of


if __name__ == "__main__":
    run(parser().parse_args())
