"""A whole epoch of 50,000 images: augmentation, steps, evaluation on 10,000.

    python -m benchmarks.epoch                        # minutes on a CPU: take fewer images there
    python -m benchmarks.epoch --images 6400 --evaluated 1000 --epochs 2 --json result.json

SD-KD {1,2} of resnet32x4 into resnet8x4, batch 64. The first epoch computes the teacher's views; the second
meets other views of the same images, of which 162 there are; the epoch called ``remembered`` is the first
again, with room for all views. Times by kind are those that a trial reports: training, teacher, evaluation.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks import made
from benchmarks.machine import machine, save, seconds, table
from trainables.data import prepare
from trainables.engine.device import best_device, best_precision
from trainables.engine.evaluation import EVALUATION_BATCH, evaluate
from trainables.engine.runtime import CachePolicy, Runtime, TrialInputs
from trainables.storage.run_store import RunStore
from trainables.training.build import build_engine
from trainables.training.timing import EpochTimer

ALL = CachePolicy(budget=64 << 30)
"""Room for every view of 50,000 images, 26 GB in a file; it takes on disk what the measured epochs fill."""


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure the epochs of ``args``, and print a table."""
    on = best_device()
    precision = args.precision or best_precision(on)
    raw = made.raw(args.images, args.evaluated)
    whole: dict[str, Any] = {"benchmark": "epoch", "machine": machine(), "pair": args.pair, "batch": 64}
    whole |= {"precision": precision, "engine": args.engine, "images": args.images}
    with tempfile.TemporaryDirectory() as folder:
        teacher, student = args.pair.split("-")
        config = made.trial(Path(folder), teacher, student, (1, 2), precision)
        data = prepare(raw, config.data, on)
        began = time.perf_counter()
        runtime = Runtime(on, compile_mode=args.engine, cache_policy=ALL)
        engine = build_engine(TrialInputs(config, RunStore(Path(folder)), data), runtime)
        whole |= {"built_s": time.perf_counter() - began, "results": []}
        for name, epoch in [*((f"epoch {n + 1}", n + 1) for n in range(args.epochs)), ("remembered", 1)]:
            times = EpochTimer(engine.teacher)
            seconds(lambda epoch=epoch: engine.train_epoch(data.train, epoch, 0), on)  # type: ignore[misc]
            times.trained(data.train.steps(64))
            batches = data.test.batches(EVALUATION_BATCH, epoch=None)
            evaluate(engine.student.network, batches, "test", config.training, runtime)
            spent = times.evaluated()
            rate = args.images / (spent["time/train_s"] + spent["time/teacher_s"])
            whole["results"].append({"epoch": name, "images_per_s": rate, **spent})
            save(args.json, whole)
    print(table(whole["results"]), flush=True)
    return whole


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made_of = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made_of.add_argument("--pair", default="resnet32x4-resnet8x4", metavar="TEACHER-STUDENT")
    made_of.add_argument("--images", type=int, default=50_000)
    made_of.add_argument("--evaluated", type=int, default=10_000)
    made_of.add_argument("--epochs", type=int, default=2)
    made_of.add_argument("--engine", choices=("auto", "eager", "compiled"), default="auto")
    made_of.add_argument(
        "--precision", choices=("float32", "tf32", "bf16"), help="default: the device's best"
    )
    made_of.add_argument("--json", help="file for the result")
    return made_of


if __name__ == "__main__":
    run(parser().parse_args())
