"""What a training step's time on a processor goes to: convolutions, products, compiled kernels, all else.

    python -m benchmarks.profile                                 # resnet32x4-resnet8x4, one thread
    python -m benchmarks.profile --pairs wrn_40_2-vgg8 --json result.json

Shares are of the time that torch's profiler sees in each operator itself; milliseconds are those shares of
the CPU time that a step takes unprofiled. A product of large square matrices is timed by turns with the
steps, in CPU time too, so that shares of its rate hold on a busy machine: of the whole step, and of its
convolutions and products alone, which bound it.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks import made
from benchmarks.machine import machine, save, table
from benchmarks.step import Ours, step_cost
from trainables.engine.device import best_precision
from trainables.engine.process_cache import ProcessCache
from trainables.engine.runtime import CachePolicy, Runtime

BATCH = 64
SIDE = 1024
"""Rows and columns of the matrices whose product is the yardstick."""

KINDS = {
    "convolutions, gradients": ("convolution_backward",),
    "convolutions, forward": ("convolution",),
    "products": ("mm", "linear"),
    "compiled kernels": ("cpp_fused", "graph_", "Torch-Compiled", "Compiled"),
}
"""Parts of operators' names, by what they are; the first that fits counts."""

PRODUCTS = tuple(KINDS)[:3]


def kind_of(operator: str) -> str:
    """Return which of :data:`KINDS` an operator is.

    >>> kind_of("aten::mkldnn_convolution_backward"), kind_of("aten::copy_")
    ('convolutions, gradients', 'all else')
    """
    for kind, parts in KINDS.items():
        if any(part in operator for part in parts):
            return kind
    return "all else"


def cpu_ms(function: Callable[[], Any]) -> float:
    """Return the milliseconds of CPU time that a call takes, over all threads."""
    began = time.process_time()
    function()
    return 1000 * (time.process_time() - began)


def measure(pair: str, args: argparse.Namespace) -> dict[str, Any]:
    """Return times and shares of a pair's step, its teacher computed and its outputs remembered."""
    on, cache = torch.device("cpu"), ProcessCache()
    raw = made.raw(max(args.steps * BATCH, made.CLASSES), made.CLASSES)
    matrix = torch.randn(SIDE, SIDE, dtype=torch.bfloat16 if args.precision == "bf16" else torch.float32)
    with tempfile.TemporaryDirectory() as folder:
        ways = {}
        for way, policy in (("live", CachePolicy("off")), ("remembered", CachePolicy())):
            on_cpu = Runtime(on, compile_mode=args.engine, cache_policy=policy, process_cache=cache)
            ways[way] = Ours(pair, raw, Path(folder), args.precision, args.steps, on_cpu)
            ways[way].run()
        times: dict[str, list[float]] = {way: [] for way in (*ways, "matrix")}
        for _ in range(args.rounds):
            for way, ours in ways.items():
                times[way].append(cpu_ms(ours.run) / args.steps)
                times["matrix"] += [cpu_ms(lambda: matrix @ matrix) for _ in range(4)]
        result: dict[str, Any] = {"pair": pair}
        for way, ours in ways.items():
            with profile(activities=[ProfilerActivity.CPU]) as seen:
                ours.run()
            spent: Counter[str] = Counter()
            for operator in seen.key_averages():
                spent[operator.key] += operator.self_cpu_time_total
            result[way] = shares(spent) | about(pair, times[way], times["matrix"], live=way == "live")
            of_products = sum(result[way]["kinds"].get(kind, 0.0) for kind in PRODUCTS)
            result[way]["products_of_the_matrix_rate"] = result[way]["of_the_matrix_rate"] / of_products
    return result


def shares(spent: Counter[str]) -> dict[str, Any]:
    """Return shares by kind, and of the twelve operators that take most."""
    whole, kinds = spent.total(), Counter[str]()
    for operator, value in spent.items():
        kinds[kind_of(operator)] += value
    return {
        "kinds": {kind: value / whole for kind, value in kinds.most_common()},
        "operators": {name: value / whole for name, value in spent.most_common(12)},
    }


def about(pair: str, times: list[float], products: list[float], *, live: bool) -> dict[str, Any]:
    """Return the CPU time of a step, and its share of the rate of large products."""
    least = min(times)
    rate = 2 * SIDE**3 / min(products)
    return {
        "cpu_ms": {"n": len(times), "median": statistics.median(times), "min": least},
        "of_the_matrix_rate": 2 * BATCH * step_cost(pair, live=live) / least / rate,
    }


def rows(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is shown of a result, a row for each kind of operator."""
    shown = []
    for kind in (*KINDS, "all else"):
        row: dict[str, Any] = {result["pair"]: kind}
        for way in ("live", "remembered"):
            share = result[way]["kinds"].get(kind, 0.0)
            row |= {f"{way}, share": f"{share:.1%}", f"{way}, CPU ms": share * result[way]["cpu_ms"]["min"]}
        shown.append(row)
    for name in ("of_the_matrix_rate", "products_of_the_matrix_rate"):
        values = {f"{way}, share": f"{result[way][name]:.0%}" for way in ("live", "remembered")}
        shown.append({result["pair"]: name.replace("_", " ")} | values)
    return shown


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure the pairs of ``args``, and print a table of each."""
    import torch._inductor.config

    torch.set_num_threads(args.threads)
    torch._inductor.config.cpp.enable_kernel_profile = True  # else compiled kernels have no names there
    args.precision = args.precision or best_precision(torch.device("cpu"))
    whole: dict[str, Any] = {"benchmark": "profile", "machine": machine(), "batch": BATCH}
    whole |= {"precision": args.precision, "engine": args.engine, "steps": args.steps, "results": []}
    for pair in args.pairs:
        whole["results"].append(measure(pair, args))
        save(args.json, whole)
        print(table(rows(whole["results"][-1])), flush=True)
    return whole


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made_of = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made_of.add_argument("--pairs", nargs="+", default=["resnet32x4-resnet8x4"], metavar="TEACHER-STUDENT")
    made_of.add_argument("--steps", type=int, default=2, help="steps of a turn")
    made_of.add_argument("--rounds", type=int, default=5, help="turns of each")
    made_of.add_argument("--threads", type=int, default=1)
    made_of.add_argument("--engine", choices=("auto", "eager", "compiled"), default="compiled")
    made_of.add_argument("--precision", choices=("float32", "bf16"), help="default: the processor's best")
    made_of.add_argument("--json", help="file for the result")
    return made_of


if __name__ == "__main__":
    run(parser().parse_args())
