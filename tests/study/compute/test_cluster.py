"""Clusters that are refused, and a local one that starts beside the launcher's own work."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from contextlib import closing

import pytest
import ray

from study.compute.address import check_answers
from study.compute.cluster import Cluster, own_signals
from study.errors import ClusterError
from study.spec import Resources


def test_an_address_where_nothing_listens_is_refused() -> None:
    with pytest.raises(ClusterError, match=r"cannot reach Ray at 127\.0\.0\.1:9"):
        check_answers("127.0.0.1:9")
    check_answers("auto")


def test_ray_client_is_refused_with_what_to_do_instead() -> None:
    with pytest.raises(ClusterError, match=r"through ray://head:10001, which is Ray Client's; launch on"):
        check_answers("ray://head:10001")


@pytest.mark.ray
def test_a_local_ray_starts_beside_the_caller_and_stays_until_it_is_closed() -> None:
    with closing(Cluster("local", pytest.fail)) as cluster:
        cluster.begin()
        assert not ray.is_initialized(), "begin waits for nothing"
        cluster.connect()
        time.sleep(2)  # Ray's processes die with the thread that started them
        assert ray.get(ray.remote(lambda: 42).remote(), timeout=60) == 42
        cluster.check()
    assert not ray.is_initialized()


@pytest.mark.ray
def test_a_ray_that_was_begun_and_never_needed_is_stopped() -> None:
    with closing(Cluster("local", pytest.fail)) as cluster:
        cluster.begin()
    assert not ray.is_initialized()


@pytest.mark.ray
def test_a_ray_that_the_caller_had_started_is_used_and_left() -> None:
    ray.init(address="local", num_cpus=1, include_dashboard=False, log_to_driver=False)
    try:
        with closing(Cluster("local", pytest.fail)) as cluster:
            cluster.begin()
            cluster.connect()
            assert cluster.nodes().largest("CPU") == 1
            assert cluster.per_worker(Resources(cpus_per_trial=1, gpus_per_trial=0)) == (1, 0)
            cluster.check()
        assert ray.get(ray.remote(lambda: 42).remote(), timeout=60) == 42
    finally:
        ray.shutdown()


GARBAGE = """
import threading
from contextlib import closing
import ray
from study.compute.cluster import Cluster

class Box: pass

def leave_garbage(refs):
    while refs:
        box = Box()
        box.itself, box.ref = box, refs.pop()
        threading.Event().wait(1e-5)

with closing(Cluster("local")) as cluster:
    cluster.connect()
    refs = [ray.put(0) for _ in range(10_000)]
    threading.Thread(target=leave_garbage, args=[refs], daemon=True).start()
print("closed")
"""


@pytest.mark.ray
def test_garbage_of_another_thread_does_not_end_the_process_while_ray_is_let_go_of() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GARBAGE], capture_output=True, text=True, timeout=120, check=False
    )
    assert (done.returncode, done.stdout) == (0, "closed\n"), done.stderr


def test_signals_keep_their_answers() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with own_signals():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    assert signal.getsignal(signal.SIGTERM) == before
