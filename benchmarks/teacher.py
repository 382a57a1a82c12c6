"""A teacher's pass over a chunk of 64 images: eager, compiled, compiled and frozen, by turns.

    python -m benchmarks.teacher                                 # resnet32x4 in the machine's best precision
    python -m benchmarks.teacher --networks wrn_40_2 --rounds 40 --json result.json

The pass is the one whose outputs are remembered: the last map, its 4x4 grid of region logits. ``compiled`` is
``torch.compile(options={"freezing": True})``, in which weights stay arguments; ``frozen`` is what trials use.
On a CPU seconds of the process are kept beside those of the clock: on a shared machine they are the steadier.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

import trainables.models as models
from benchmarks.machine import machine, save, seconds, summary, table
from trainables.config import Training
from trainables.engine.compilation import compile_frozen
from trainables.engine.device import autocast, best_device, best_precision
from trainables.models.multiscale import region_logits
from trainables.teacher.cache import CHUNK, GRID

LEAST_ROUNDS = 3


def measure(name: str, precision: str, rounds: int, minutes: float) -> dict[str, Any]:
    """Milliseconds of a pass, on the clock and of this process's CPU time; no new turn after ``minutes``."""
    on = best_device()
    torch.manual_seed(0)
    network = models.build(name, 100).to(on, memory_format=torch.channels_last).eval()  # type: ignore[call-overload]
    network.requires_grad_(False)
    images = torch.randn(CHUNK, 3, 32, 32, device=on).contiguous(memory_format=torch.channels_last)
    training = Training(precision=precision)  # type: ignore[arg-type]

    def forward(batch: Tensor) -> Tensor:
        with autocast(training, on):
            final = network.forward_features(batch)
        return region_logits(final.float(), network.classifier, (GRID,)).half()

    runs: dict[str, Callable[[Tensor], Tensor]] = {
        "eager": forward,
        "compiled": torch.compile(forward, dynamic=False, options={"freezing": True}),
        "frozen": compile_frozen(forward, images),
    }
    wall: dict[str, list[float]] = {way: [] for way in runs}
    cpu: dict[str, list[float]] = {way: [] for way in runs}
    with torch.no_grad():
        expected = forward(images).float()
        result: dict[str, Any] = {"network": name, "precision": precision}
        for way, run in runs.items():
            result[f"{way}_differs_by"] = float((run(images).float() - expected).abs().max())
        result["largest_logit"] = float(expected.abs().max())
        end = time.monotonic() + 60 * minutes
        for turn in range(rounds):
            if turn >= LEAST_ROUNDS and time.monotonic() > end:
                break
            for way, run in runs.items():
                began = time.process_time()
                wall[way].append(1000 * seconds(lambda run=run: run(images), on))  # type: ignore[misc]
                cpu[way].append(1000 * (time.process_time() - began))
    result |= {f"{way}_ms": summary(values) for way, values in wall.items()}
    return result | {f"{way}_cpu_ms": summary(values) for way, values in cpu.items()}


def row(result: dict[str, Any]) -> dict[str, Any]:
    """What is shown of a result."""
    shown: dict[str, Any] = {"network": result["network"], "precision": result["precision"]}
    for way in ("eager", "compiled", "frozen"):
        shown[f"{way}, ms"] = result[f"{way}_ms"]["median"]
        shown[f"{way}, CPU ms"] = result[f"{way}_cpu_ms"]["median"]
    return shown


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure the networks of ``args``, and print a table."""
    precision = args.precision or best_precision()
    whole: dict[str, Any] = {"benchmark": "teacher", "machine": machine(), "images": CHUNK, "results": []}
    for name in args.networks:
        whole["results"].append(measure(name, precision, args.rounds, args.minutes))
        save(args.json, whole)
    print(table([row(result) for result in whole["results"]]), flush=True)
    return whole


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made_of = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made_of.add_argument("--networks", nargs="+", default=["resnet32x4"])
    made_of.add_argument("--rounds", type=int, default=20)
    made_of.add_argument(
        "--minutes", type=float, default=3.0, help="for the turns of a network, beside compiling"
    )
    made_of.add_argument(
        "--precision", choices=("float32", "tf32", "bf16"), help="default: the device's best"
    )
    made_of.add_argument("--json", help="file for the result")
    return made_of


if __name__ == "__main__":
    run(parser().parse_args())
