"""The shipped cluster/onprem.yaml on three machines with SSH: up, a study over them, a cable cut."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest
import yaml

from tests.cluster.host import REPOSITORY, Host, wait_for
from tests.cluster.lab import NETWORK, Lab
from tests.cluster.studies import as_typed, numbers, on, records, reports, write_space

pytestmark = pytest.mark.cluster


@dataclass
class Machines:
    """The operator's machine, the head, two workers."""

    ops: Host
    head: Host
    workers: list[Host]

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


def test_a_study_runs_over_three_machines_and_outlives_a_cut_cable(
    machines: Machines, lab: Lab, record_property: Callable[[str, object], None]
) -> None:
    head = machines.head
    began = time.monotonic()
    machines.ray("up -y /root/onprem.yaml")
    record_property("ray up, s", round(time.monotonic() - began))
    wait_for("three nodes", lambda: "2.0 CPU" in on(head, "ray status", check=False), 300)
    record_property("ray up to all nodes, s", round(time.monotonic() - began))

    write_space(head, "calm", epochs=6, trials=4)
    printed = on(head, "python study/launch.py --space calm.py", timeout=900)
    assert "4 trials" in printed
    results = head.home / "sdd-study" / "results"
    calm = records(results, "calm")
    hosts = {one["host"] for one in made_on(lab)}
    assert hosts == {"one", "two"}, "trials ran on both workers, none on the head"

    write_space(head, "stormy", epochs=6, trials=4)
    lab.forget_runs()
    launcher = head.popen(
        as_typed("python study/launch.py --space stormy.py"), Host.USER, head.folder / "s.log"
    )
    wait_for("two trials under way", lambda: len({key for _, key, _ in reports(results, "stormy")}) >= 3, 600)
    cut_at = time.time()
    machines.workers[0].cut()
    assert launcher.wait(900) == 0, (head.folder / "s.log").read_text()
    machines.workers[0].plug()
    stormy = records(results, "stormy")
    assert numbers(stormy) == numbers(calm)
    after = [when - cut_at for when, _, _ in reports(results, "stormy") if when > cut_at]
    record_property("cut to the next epoch anywhere, s", round(min(after), 1))


def made_on(lab: Lab) -> list[dict[str, str]]:
    """The machine of each finished run in the shared store."""
    import json

    files = (lab.folder / "shared").glob("store/runs/*/result.json")
    return [json.loads(file.read_text())["machine"] for file in files]
