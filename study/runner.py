"""Runs jobs on Ray Tune: builds the Tuner, listens to it, and tells the study what happened.

The only file that knows ``trainables.driver``. Ray is started when the first job needs it.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import TrialScheduler

from study import fleet, packing
from study.errors import ClusterError, Halted
from study.faults import LOSSES, database_fault
from study.interleaved import Interleaved
from study.plan import Job, Plan
from study.relay import Leave, Listener, Relay
from trainables.config import TrialConfig
from trainables.store import Store

QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the journal keeps what they would
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is ours to answer
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial's last words have no metrics
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # a trial's reason is told in one line
    "TUNE_GLOBAL_CHECKPOINT_S": "100000000",  # nothing is restored from Tune's snapshots
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


STARTS = 4
"""Attempts to start a local Ray, which gives a busy machine 30 s for it."""

JOIN_S = 120.0
"""For the first node that can run trials to join a cluster."""


class Cluster:
    """The Ray cluster a study runs on: ``address``, ``RAY_ADDRESS``, the one this machine is a node of; else,
    and for ``local``, one of its own.
    """

    def __init__(self, address: str | None) -> None:
        named = address or os.environ.get("RAY_ADDRESS") or fleet.own_cluster()
        self.address = None if named == "local" else named
        self.share: float | None = None
        """The part of a GPU that was measured to be best for a trial."""

    def connect(self) -> None:
        """Start or reach Ray, once."""
        if ray.is_initialized():
            return
        for name, value in QUIET.items():
            os.environ.setdefault(name, value)
        if self.address is not None:
            check_answers(self.address)
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
        if self.address is None:
            options |= {"include_dashboard": False, "num_cpus": len(os.sched_getaffinity(0))}
        try:
            with own_signals():
                self._start(options)
        except Exception as error:
            where = f"at {self.address}" if self.address else "here"
            remedy = "is the cluster up, and the address right?" if self.address else "see the reason"
            versions = re.findall(r"(?:Ray|Python): ([\w.]+)", str(error))
            if "mismatch" in str(error) and len(versions) == 4:
                there, here = (
                    f"Ray {ray_} on Python {python}" for ray_, python in (versions[:2], versions[2:])
                )
                raise ClusterError(
                    f"the cluster {where} runs {there}, this is {here}; install the cluster's "
                    "requirements.lock here, or ray up again with this checkout"
                ) from None
            raise ClusterError(f"cannot reach Ray {where}: {first_line(error)}; {remedy}") from None
        for noisy in ("ray.tune", "ray.train", "ray"):
            logging.getLogger(noisy).setLevel(logging.ERROR)

    def _start(self, options: dict[str, Any]) -> None:
        if self.address is not None and not fleet.travels_already():
            with fleet.code() as folder:
                ray.init(address=self.address, runtime_env={"working_dir": str(folder)}, **options)
            return
        for left in reversed(range(STARTS)):
            try:
                ray.init(address=self.address or "local", **options)
                return
            except Exception as error:
                if not left or self.address is not None or "timed out during startup" not in str(error):
                    raise
                ray.shutdown()

    def per_worker(self, plan: Plan) -> tuple[int, float]:
        """CPUs and GPUs of one worker of a trial; raises :class:`ClusterError` if a trial never fits."""
        wanted, nodes, end = plan.spec.resources, self.nodes(), time.monotonic() + JOIN_S
        while self.address is not None and nodes.largest("CPU") == 0 and time.monotonic() < end:
            time.sleep(1)  # right after the cluster's start: the head alone, which runs no trials
            nodes = self.nodes()
        gpus = wanted.gpus_per_trial if self.share is None else self.share
        if gpus is None or gpus == "measure":
            gpus = 1.0 if nodes.largest("GPU") >= 1 else 0.0
        for name, need in (("CPU", wanted.cpus_per_trial), ("GPU", gpus)):
            if need > (most := nodes.largest(name)):
                raise ClusterError(
                    f"resources: a trial needs {need:g} {name}, "
                    f"{'this machine' if self.address is None else 'the largest node'} has {most:g}; "
                    f"lower resources.{name.lower()}s_per_trial"
                )
        if (fit := nodes.trials(wanted.cpus_per_trial, gpus)) < wanted.workers_per_trial:
            raise ClusterError(
                f"resources: a trial needs {wanted.workers_per_trial} workers of {wanted.cpus_per_trial} CPU "
                f"and {gpus:g} GPU, and {fit} fit; lower resources.workers_per_trial"
            )
        return wanted.cpus_per_trial, gpus

    def nodes(self) -> fleet.Nodes:
        """The nodes there are, or, where the cluster grows by demand, may be."""
        grown = fleet.growth() if self.address is not None else None
        if grown is not None and grown.kinds:
            return grown
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        if grown is None:
            return fleet.Nodes(tuple((resources, 1) for resources in alive), len(alive))
        return fleet.Nodes(tuple((resources, grown.most) for resources in alive), grown.most)

    def check(self) -> None:
        """Raise :class:`Halted` once a process of the local Ray is gone: nothing moves without it."""
        from ray._private.worker import _global_node

        if self.address is None and _global_node is not None:
            for kind, _ in _global_node.dead_processes():
                raise Halted(f"Ray's {kind.replace('_', ' ')} process has died")

    def close(self) -> None:
        """Let go of Ray; a local one is stopped."""
        if ray.is_initialized():
            with own_signals():
                ray.shutdown()


@contextmanager
def own_signals() -> Iterator[None]:
    """Keep the answers to Ctrl-C and SIGTERM: Ray puts an abort with a stack trace in the place of ours."""
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, answer in kept.items():
                signal.signal(number, answer)


def check_answers(address: str) -> None:
    """Raise :class:`ClusterError` where nothing listens at ``host:port``; Ray would wait for minutes."""
    match = re.fullmatch(r"(?:ray://)?\[?([^\]/]+)\]?:(\d+)", address)
    if match is None:
        return
    try:
        socket.create_connection((match[1], int(match[2])), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(
            f"cannot reach Ray at {address}: {first_line(error)}; is the cluster up, and the address right?"
        ) from None


class Runner:
    """Runs the jobs of one plan on a cluster."""

    def __init__(self, plan: Plan, store: Store, cluster: Cluster, listener: Listener) -> None:
        self.plan = plan
        self.store = store
        self.cluster = cluster
        self.listener = listener

    def run_jobs(self, jobs: list[Job]) -> None:
        """Run a list of jobs to their ends."""
        by_key = {job.key: job for job in jobs}
        space = {"trial": tune.grid_search([job.config.to_dict() for job in by_key.values()])}
        self._run(by_key.__getitem__, {}, param_space=space, scheduler=None, num_samples=1)

    def measure_share(self, config: TrialConfig, say: Callable[[str], None]) -> None:
        """How many trials like ``config`` share a GPU best; nothing where there is none."""
        wanted = self.plan.spec.resources
        self.cluster.connect()
        if self.cluster.nodes().largest("GPU") < 1:
            return
        where = (str(self.store.root), self.plan.raw, wanted.cpus_per_trial, wanted.engine)
        if found := packing.most_that_pay(
            lambda trials: packing.together(trials, 1 / trials, config, *where)
        ):
            self.cluster.share = 1.0 / found[-1].trials
            say(packing.told(found))

    def run_search(self, search: Interleaved, scheduler: TrialScheduler) -> None:
        """Run what is left of a search, and what is enqueued by hand until its last trial has ended."""
        self._run(search.job, search.cut, search_alg=search, scheduler=scheduler, num_samples=-1)

    def _run(self, job_of: Callable[[str], Job], cut: Mapping[str, str], **tuning: Any) -> None:
        """Run trials; ``cut`` says why some were ended by the budget, by key."""
        from trainables.driver import Provision, trainable
        from trainables.remembering import Remembering

        self.cluster.connect()
        cpus, gpus = self.cluster.per_worker(self.plan)
        wanted = self.plan.spec.resources
        workers = wanted.workers_per_trial
        fit = max(1, self.cluster.nodes().trials(cpus, gpus) // workers)
        at_once = wanted.max_concurrent or fit
        self.listener.slots(at_once, workers * cpus, workers * gpus)
        given = Provision(
            store=self.store.root,
            raw=ray.put(self.plan.raw),
            user_code=self.plan.user_code,
            workers=workers,
            cpus=cpus,
            gpus=gpus,
            safe="safe" in ray.cluster_resources(),  # type: ignore[no-untyped-call]
            room=Remembering(budget=wanted.views),
            engine=wanted.engine,
        )
        relay = Relay(job_of, cut, self.listener, self.plan.spec.budget.max_failures, self.cluster.check)
        scratch = Path(tempfile.mkdtemp(prefix="sdd-tune-"))
        space = tuning.pop("param_space", None)
        tuner = tune.Tuner(
            trainable(given),
            param_space=space,
            tune_config=tune.TuneConfig(
                max_concurrent_trials=at_once,
                reuse_actors=True,
                **tuning,
            ),
            run_config=tune.RunConfig(
                name="study",
                storage_path=str(scratch),
                verbose=0,
                callbacks=[relay],
                failure_config=tune.FailureConfig(max_failures=LOSSES),
            ),
        )
        try:
            tuner.fit()
        except Leave as leave:
            raise leave.reason from leave.reason.__cause__
        except Exception as error:
            if (fault := database_fault(str(error), error)) is not None:
                raise Halted(fault) from error
            raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def first_line(error: BaseException) -> str:
    """An error in one line: its type and the last line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__
