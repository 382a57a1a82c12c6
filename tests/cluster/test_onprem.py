"""The shipped cluster/onprem.yaml on three machines with SSH: up, studies over them, a cable cut.

The tests are one story and run in the order in which they stand.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from tests.cluster.host import REPOSITORY, Host, wait_for
from tests.cluster.lab import NETWORK, Lab
from tests.cluster.studies import as_typed, numbers, on, records, reports, write_space

pytestmark = pytest.mark.cluster

Note = Callable[[str, object], None]
EPOCHS, TRIALS, SCENES = 8, 6, 600
"""Trials longer than a process takes to start, or the first worker's runs them all."""


@dataclass
class Machines:
    """The operator's machine, the head, two workers."""

    ops: Host
    head: Host
    workers: list[Host]

    @property
    def results(self) -> Path:
        """The results folder on the head."""
        return self.head.home / "sdd-study" / "results"

    def ray(self, line: str) -> str:
        """``ray ...`` at the root of the checkout."""
        return self.ops.run(f"cd {REPOSITORY} && RAY_UP_enable_autoscaler_v2=0 ray {line}", timeout=900)


def shipped() -> str:
    """The shipped file with the lab's machines on its marked lines."""
    config = yaml.safe_load((REPOSITORY / "cluster/onprem.yaml").read_text())
    config["provider"] |= {"head_ip": f"{NETWORK}.10", "worker_ips": [f"{NETWORK}.11", f"{NETWORK}.12"]}
    lines = [line.replace("/mnt/shared/sdd-study", "/mnt/shared") for line in config["setup_commands"]]
    start = [
        line.replace("ray start", "ray start --num-cpus=1") for line in config["worker_start_ray_commands"]
    ]
    return yaml.safe_dump(
        config | {"setup_commands": lines, "worker_start_ray_commands": start}, sort_keys=False
    )


@pytest.fixture(scope="module")
def machines(lab: Lab) -> Machines:
    """Three machines, and an operator with the filled-in file and a token."""
    ops = lab.host("ops", 2, (REPOSITORY,), RAY_AUTH_MODE="token")
    head, *workers = [lab.host(name, number) for name, number in (("head", 10), ("one", 11), ("two", 12))]
    for host in (head, *workers):
        lab.image(host)
    (ops.folder / "root" / "onprem.yaml").write_text(shipped())
    ops.run("ray get-auth-token --generate")
    return Machines(ops, head, workers)


def test_three_machines_come_up(machines: Machines, record_property: Note) -> None:
    began = time.monotonic()
    machines.ray("up -y /root/onprem.yaml")
    record_property("ray up, s", round(time.monotonic() - began))
    wait_for("three nodes", lambda: "2.0 CPU" in on(machines.head, "ray status", check=False), 300)
    record_property("ray up to all nodes, s", round(time.monotonic() - began))


def test_a_study_runs_over_both_workers(machines: Machines, lab: Lab) -> None:
    write_space(machines.head, "calm", EPOCHS, TRIALS, SCENES)
    printed = on(machines.head, "python study/launch.py --space calm.py", timeout=900)
    assert f"{TRIALS} trials" in printed
    assert made_on(lab) == {"one", "two"}, "trials ran on both workers, none on the head"


def test_two_machines_train_one_trial_as_one_device_does(
    machines: Machines, lab: Lab, record_property: Note
) -> None:
    write_space(machines.head, "narrow", epochs=4, trials=2)
    launch = "python study/launch.py --space narrow.py --set training.lr=0.001"
    on(machines.head, launch, timeout=900)
    narrow = records(machines.results, "narrow")
    for key in (key for key, record in narrow.items() if record.stage != "teachers"):
        shutil.rmtree(lab.folder / "shared" / "store" / "runs" / key)
    on(
        machines.head,
        f"{launch} --set name=wide --set resources.workers_per_trial=2",  # a worker has one CPU: one on each
        timeout=900,
    )
    wide = records(machines.results, "wide")
    assert wide.keys() == narrow.keys()
    furthest: dict[str, float] = {}
    for key, record in narrow.items():
        for one, two in zip(record.history, wide[key].history, strict=True):
            for name in ("train/loss", "val/loss"):
                if name in one:
                    furthest[name] = max(furthest.get(name, 0.0), abs(one[name] - two[name]))
    for name, value in furthest.items():
        record_property(f"two hosts beside one device, furthest {name}", f"{value:.1e}")
    assert 0 < furthest["train/loss"] < 1e-4, "the same curve but for rounding, and not the same run"
    assert furthest["val/loss"] < 1e-4


def test_a_study_outlives_a_cut_cable(machines: Machines, lab: Lab, record_property: Note) -> None:
    head, results = machines.head, machines.results
    write_space(head, "stormy", EPOCHS, TRIALS, SCENES)
    lab.forget_runs()
    launcher = head.popen(
        as_typed("python study/launch.py --space stormy.py"), Host.USER, head.folder / "s.log"
    )
    wait_for("two trials under way", lambda: len({key for _, key, _ in reports(results, "stormy")}) >= 3, 600)
    cut_at = time.time()
    machines.workers[0].cut()
    assert launcher.wait(900) == 0, (head.folder / "s.log").read_text()
    machines.workers[0].plug()
    assert numbers(records(results, "stormy")) == numbers(records(results, "calm"))
    after = [when - cut_at for when, _, _ in reports(results, "stormy") if when > cut_at]
    record_property("cut to the next epoch anywhere, s", round(min(after), 1))


def made_on(lab: Lab) -> set[str]:
    """The machines that made the finished runs in the shared store."""
    files = (lab.folder / "shared").glob("store/runs/*/result.json")
    return {json.loads(file.read_text())["machine"]["host"] for file in files}
