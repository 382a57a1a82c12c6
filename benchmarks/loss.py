"""The decoupled loss alone, forward and backward: plain research code, ours eager, ours compiled.

    python -m benchmarks.loss
    python -m benchmarks.loss --classes 100 1000 --regions 1 21 --json result.json
    python -m benchmarks.loss --losses --classes 100 1000 --regions 1 21    # every built-in one beside KD

SD-KD of 64 images over K classes and R regions, in float32; R = 1, 5, 21, 85 are the scale sets {1}, {1,2},
{1,2,4} and {1,2,4,8}. In one run, all by turns. ``--losses`` compares the least time of each, which other
work on the machine disturbs least.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from benchmarks.machine import machine, save, seconds, summary, table
from benchmarks.reference import decoupled_kd
from trainables.engine.compilation import compile_static, try_compile
from trainables.engine.device import best_device
from trainables.losses import logit_loss, logit_loss_names, scale_decoupled

BATCH, TEMPERATURE, BETA = 64, 4.0, 2.0

Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


def ours(student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
    """The loss of regions [B, R, K]."""
    base = logit_loss("kd", temperature=TEMPERATURE)
    return scale_decoupled(base, student, teacher, target, complementary_weight=BETA)


def theirs(student: Tensor, teacher: Tensor, target: Tensor) -> Tensor:
    """The same, from the layout [B, K, R] of research code."""
    return decoupled_kd(student.transpose(1, 2), teacher.transpose(1, 2), target, TEMPERATURE, BETA)


def every_loss() -> dict[str, Loss]:
    """Return each built-in loss, and KD on standardised logits, of regions [B, R, K]."""

    def decoupled(base: str, standardize: str = "no") -> Loss:
        loss = logit_loss(base)
        return partial(scale_decoupled, loss, complementary_weight=BETA, standardize=standardize)

    return {
        **{base: decoupled(base) for base in logit_loss_names()},
        "kd+LS": decoupled("kd", "region"),
        "kd+LSW": decoupled("kd", "whole"),
    }


def measure(
    losses: Mapping[str, Loss], classes: int, regions: int, repeats: int, *, compiled: Mapping[str, Loss]
) -> dict[str, Any]:
    """Measure microseconds of forward and backward of ``losses``, and of those to be ``compiled``."""
    on = best_device()
    draw = torch.Generator().manual_seed(0)
    student, teacher = (torch.randn(BATCH, regions, classes, generator=draw).to(on) for _ in range(2))
    target = torch.randint(classes, (BATCH,), generator=draw).to(on)
    student.requires_grad_()

    def step(loss: Callable[..., Tensor]) -> Callable[[], None]:
        def run() -> None:
            student.grad = None
            loss(student, teacher, target).backward()  # type: ignore[no-untyped-call]

        run()
        return run

    runs = {name: step(loss) for name, loss in losses.items()}
    for name, loss in compiled.items():
        made = try_compile(
            name, partial(lambda loss: step(compile_static(loss, graphs=on.type == "cuda")), loss), print
        )
        runs |= {name: made} if made is not None else {}
    times: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(repeats):
        for name, run in runs.items():
            times[name].append(1e6 * seconds(run, on))
    result: dict[str, Any] = {"classes": classes, "regions": regions}
    return result | {f"{name}_us": summary(values) for name, values in times.items()}


def row(result: dict[str, Any]) -> dict[str, Any]:
    """What is shown of a result."""
    shown: dict[str, Any] = {"K": result["classes"], "R": result["regions"]}
    for name in ("reference", "eager", "compiled"):
        if f"{name}_us" in result:
            shown[f"{name}, us"] = result[f"{name}_us"]["median"]
            shown[f"{name}, times faster"] = result["reference_us"]["median"] / result[f"{name}_us"]["median"]
    del shown["reference, times faster"]
    return shown


def row_of_ratios(result: dict[str, Any]) -> dict[str, Any]:
    """Give what is shown of every loss: its least time as a multiple of KD's, eager and compiled."""
    least = {name.removesuffix("_us"): of["min"] for name, of in result.items() if name.endswith("_us")}
    shown: dict[str, Any] = {"K": result["classes"], "R": result["regions"]}
    for name, time in least.items():
        shown[name] = time / least["kd, compiled" if name.endswith(", compiled") else "kd"]
    return shown | {"kd, us": least["kd"]}


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure all sizes of ``args``, and print a table."""
    if args.losses:
        losses = every_loss()
        compiled = {f"{name}, compiled": loss for name, loss in losses.items() if args.compiled}
    else:
        losses = {"reference": theirs, "eager": ours}
        compiled = {"compiled": ours} if args.compiled else {}
    whole: dict[str, Any] = {"benchmark": "loss", "machine": machine(), "batch": BATCH, "results": []}
    for classes in args.classes:
        for regions in args.regions:
            whole["results"].append(measure(losses, classes, regions, args.repeats, compiled=compiled))
            save(args.json, whole)
    shown = [(row_of_ratios if args.losses else row)(result) for result in whole["results"]]
    if args.losses:  # losses down, sizes across
        shown = [
            {"times KD": name, **{f"K = {of['K']}, R = {of['R']}": of[name] for of in shown}}
            for name in shown[0]
            if name not in ("K", "R")
        ]
    print(table(shown), flush=True)
    return whole


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made_of = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made_of.add_argument("--classes", nargs="+", type=int, default=[100, 200, 1000])
    made_of.add_argument("--regions", nargs="+", type=int, default=[1, 5, 21, 85])
    made_of.add_argument("--losses", action="store_true", help="every built-in loss beside KD")
    made_of.add_argument("--repeats", type=int, default=20)
    made_of.add_argument("--compiled", action=argparse.BooleanOptionalAction, default=True)
    made_of.add_argument("--json", help="file for the result")
    return made_of


if __name__ == "__main__":
    run(parser().parse_args())
