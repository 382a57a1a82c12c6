"""One trial trained by one process and by several: the two curves, and their times.

    python -m benchmarks.workers                                  # 2 workers over gloo
    python -m benchmarks.workers --workers 4 --epochs 10 --student resnet20 --json result.json

Plain training on cluttered digits, global batch 64, each worker with one thread. On a machine with GPUs each
worker takes the GPU of its number, modulo how many there are, and gradients travel by NCCL where each has its
own. What is shown is the training loss and the held-out accuracy of both, and the relative difference of the
losses. (Inside a study Ray Train starts the processes; what they do is the same.)
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import torch
from torch import distributed, multiprocessing

from benchmarks.machine import machine, save, table
from trainables.config import Data, Training, TrialConfig
from trainables.data import load
from trainables.distributed.process_group import SINGLE_PROCESS, DistributedGroup
from trainables.engine.evaluation import Metrics
from trainables.engine.runtime import Runtime
from trainables.storage.run_store import RunStore
from trainables.training.loop import run_trial


def trial(args: argparse.Namespace) -> TrialConfig:
    """What is trained."""
    return TrialConfig(
        data=Data(name="cluttered_digits", validation=0.2, options={"scenes": args.images}),
        student=args.student,
        training=Training(
            epochs=args.epochs,
            batch_size=64,
            lr=args.lr,
            schedule="cosine",
            precision=args.precision,
            batch_norm_parts=args.parts,
        ),
    )


def member(rank: int, args: argparse.Namespace, workers: int, folder: str) -> None:
    """One of ``workers`` processes; files the record of the trial in ``folder``."""
    torch.set_num_threads(1)
    gpus = torch.cuda.device_count()
    device = torch.device("cuda", rank % gpus) if gpus else torch.device("cpu")
    if gpus:
        torch.cuda.set_device(device)
    distributed.init_process_group(
        "nccl" if gpus >= workers else "gloo",
        init_method=f"file://{folder}/meet",
        rank=rank,
        world_size=workers,
    )
    group = DistributedGroup() if workers > 1 else SINGLE_PROCESS
    run_trial(
        trial(args),
        RunStore(Path(folder)),
        lambda config, on: load(config.data, on),
        lambda metrics: None,
        Runtime(device, compile_mode="eager", group=group),
    )
    group.all_gather(None)  # nobody leaves before the record is filed
    distributed.destroy_process_group()


def curve(args: argparse.Namespace, workers: int) -> list[Metrics]:
    """The metrics of each epoch as ``workers`` processes train it."""
    with tempfile.TemporaryDirectory() as folder:
        multiprocessing.spawn(member, args=(args, workers, folder), nprocs=workers)  # type: ignore[attr-defined,no-untyped-call]
        result = RunStore(Path(folder)).run(trial(args).trial_key).result()
    assert result is not None
    history: list[Metrics] = result["history"]
    return history


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Train with one and with ``args.workers``, and print a table."""
    whole: dict[str, Any] = {"benchmark": "workers", "machine": machine(), **vars(args)}
    alone, shared = curve(args, 1), curve(args, args.workers)
    whole["results"] = [
        {
            "epoch": int(one["epoch"]),
            "loss, 1": one["train/loss"],
            f"loss, {args.workers}": many["train/loss"],
            "difference": abs(one["train/loss"] - many["train/loss"]) / one["train/loss"],
            "val top-1, 1": one["val/top1"],
            f"val top-1, {args.workers}": many["val/top1"],
            "s, 1": one["time/epoch_s"],
            f"s, {args.workers}": many["time/epoch_s"],
        }
        for one, many in zip(alone, shared, strict=True)
    ]
    save(args.json, whole)
    print(table(whole["results"]), flush=True)
    return whole


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made_of = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made_of.add_argument("--workers", type=int, default=2)
    made_of.add_argument("--parts", type=int, default=1, help="batch_norm_parts")
    made_of.add_argument("--images", type=int, default=2_000)
    made_of.add_argument("--epochs", type=int, default=5)
    made_of.add_argument("--student", default="resnet8")
    made_of.add_argument("--lr", type=float, default=0.05)
    made_of.add_argument("--precision", choices=("float32", "tf32", "bf16"), default="float32")
    made_of.add_argument("--json", help="file for the result")
    return made_of


if __name__ == "__main__":
    run(parser().parse_args())
