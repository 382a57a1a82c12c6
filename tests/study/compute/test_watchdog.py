"""Ray's GCS is killed for real under a process that is in a call of Ray's, or in none."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys

import pytest

from tests.study.faults.killing import ROOT, descendants
from tests.study.head import OPEN, head

LEFT = 7

DRIVER = """
import os, sys, time
import ray
from study.compute import watchdog as watch
from study.compute.cluster import Cluster
from study.errors import StudyHalted

def leave(reason):
    print("left:", reason, flush=True)
    os._exit(7)

watch.GRACE_S = 3.0
watch.ABSENT_S = 5.0
cluster = Cluster(sys.argv[1], leave)
cluster.connect()
cluster.check()
print("connected", flush=True)
sys.stdin.readline()  # the GCS is dead
if sys.argv[2] == "waiting":
    ray.nodes()
try:
    while True:
        cluster.check()
        time.sleep(0.1)
except StudyHalted as reason:
    print("halted:", reason, flush=True)
cluster.close()
"""


def end(address: str, doing: str, below: int | None) -> tuple[int, str]:
    """Exit code and last line of a driver whose GCS, a process ``below`` another, is killed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    driver = subprocess.Popen(
        [sys.executable, "-c", DRIVER, address, doing],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**environment, **OPEN},
    )
    try:
        assert driver.stdout is not None
        assert driver.stdout.readline() == "connected\n"
        for pid, command in descendants(below or driver.pid):
            if "gcs_server" in command:
                os.kill(pid, signal.SIGKILL)
        printed = driver.communicate("\n", timeout=60)[0]
    finally:
        driver.kill()
    return driver.returncode, printed.splitlines()[-1]


@pytest.mark.ray
def test_a_process_in_a_call_that_never_returns_is_ended() -> None:
    assert end("local", "waiting", None) == (LEFT, "left: Ray's gcs server process has died")


@pytest.mark.ray
def test_a_process_in_no_call_of_rays_leaves_by_itself() -> None:
    assert end("local", "working", None) == (0, "halted: Ray's gcs server process has died")


@pytest.mark.slow
@pytest.mark.ray
@pytest.mark.parametrize(("doing", "code", "how"), [("waiting", LEFT, "left"), ("working", 0, "halted")])
def test_the_head_of_a_cluster_may_be_away_for_a_while_only(doing: str, code: int, how: str) -> None:
    with head(cpus=1) as cluster:
        returned, said = end(cluster.address, doing, cluster.pid)
    assert returned == code
    port = cluster.address.rpartition(":")[2]
    assert re.fullmatch(f"{how}: the cluster's head at \\S+:{port} has not answered for 5 s: .+", said)
