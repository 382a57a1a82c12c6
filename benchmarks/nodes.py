"""What a cluster's head does for its nodes: nodes simulated by raylets of one core each on this machine.

    python -m benchmarks.nodes                                  # 8, 16 and 32 nodes, a study on 8
    python -m benchmarks.nodes --nodes 4 8 --study 4 --json result.json

Every node runs Ray's own processes (raylet, agents, object store) and joins the head through the loopback. At
each number of nodes: seconds that a node took to join; cores that the head's processes (control store,
dashboard) take while nothing runs, and what a raylet takes, without the agents beside it. Then a study of
short trials, one at a time on each of ``--study`` nodes: what launcher and head spend on it. No network
between hosts is in these numbers.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.machine import machine, save, table
from benchmarks.studies import finish, launch, write_space
from study.journal.journal import read_records

RAYLET = "raylet/raylet"
HEADS = ("gcs_server", "dashboard/dashboard.py", "monitor.py")
"""Processes that only the head has."""


def processes(marks: Iterable[str]) -> dict[int, str]:
    """Ray's processes on this machine whose command holds one of ``marks``: command by pid."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "/ray/" in command and any(mark in command for mark in marks):
            found[int(folder.name)] = command
    return found


def spent(pids: Iterable[int]) -> float:
    """Processor seconds of processes, as far as they still are."""
    ticks = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_gib(pids: Iterable[int]) -> float:
    """Memory of processes, GiB; what several of them share is counted with each."""
    pages = sum(int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid in pids)
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**30


def idle(seconds: float, nodes: int) -> dict[str, float]:
    """Cores and memory that the head's processes and a node's raylet take while nothing runs."""
    head = processes(HEADS)
    raylets = list(processes([RAYLET]))
    groups = {name: [pid for pid, line in head.items() if name in line] for name in HEADS} | {RAYLET: raylets}
    before = {name: spent(pids) for name, pids in groups.items()}
    time.sleep(seconds)
    cores = {f"{name}, cores": (spent(pids) - before[name]) / seconds for name, pids in groups.items()}
    each = cores.pop(f"{RAYLET}, cores") / (nodes + 1)
    return cores | {
        "a raylet, cores": each,
        "head's processes, GiB": resident_gib(head),
        "a raylet, GiB": resident_gib(raylets) / (nodes + 1),
    }


def study_on(address: str, nodes: int, trials: int) -> dict[str, float]:
    """A study of short trials, one at a time on each node: seconds and processor seconds."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        each = {"cpus_per_trial": 1, "max_concurrent": nodes, "views": "off"}
        path = write_space(folder, scenes=100, epochs=2, trials=trials, **each)
        head, began = processes(HEADS), time.perf_counter()
        before, launcher = spent(head), launch(path, folder / "results", RAY_ADDRESS=address)
        busy = 0.0
        while launcher.poll() is None:
            busy = max(busy, spent([launcher.pid]))
            time.sleep(0.1)
        took = time.perf_counter() - began
        finish(launcher)
        journal = read_records(folder / "results" / "study" / "journal.jsonl")
        found = [record for record in journal.values() if record.stage == "search"]
        return {
            "nodes": nodes,
            "trials": len(found),
            "epochs": sum(len(record.history) for record in found),
            "seconds": took,
            "launcher, processor s": busy,
            "head, processor s": spent(head) - before,
        }


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Measure, and print a table."""
    from ray.cluster_utils import Cluster

    whole: dict[str, Any] = {"benchmark": "nodes", "machine": machine(), "idle_s": args.idle, "results": []}
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "include_dashboard": True, "object_store_memory": 10**8},
    )
    try:
        there = 0
        for wanted in args.nodes:
            began = time.perf_counter()
            for _ in range(wanted - there):
                cluster.add_node(num_cpus=1, object_store_memory=10**8)
            joined = (time.perf_counter() - began) / (wanted - there)
            there = wanted
            time.sleep(args.settle)
            row = {"nodes": there, "a node joins in, s": joined, **idle(args.idle, there)}
            whole["results"].append(row)
            print(table(whole["results"]), flush=True)
            save(args.json, whole)
            if there == args.study:
                whole["study"] = study_on(cluster.address, there, args.trials)
                print(table([whole["study"]]), flush=True)
                save(args.json, whole)
    finally:
        cluster.shutdown()  # type: ignore[no-untyped-call]
    return whole


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made_of = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    made_of.add_argument("--nodes", type=int, nargs="+", default=[8, 16, 32], help="ascending")
    made_of.add_argument("--study", type=int, default=8, metavar="NODES", help="of --nodes, that it runs on")
    made_of.add_argument("--trials", type=int, default=40, help="of the study")
    made_of.add_argument("--idle", type=float, default=30, help="seconds to look at an idle cluster")
    made_of.add_argument("--settle", type=float, default=15, help="seconds before that")
    made_of.add_argument("--json", help="file for the result")
    return made_of


if __name__ == "__main__":
    run(parser().parse_args())
