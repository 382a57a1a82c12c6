"""Runs jobs on Ray Tune: builds the Tuner, listens to it, and tells the study what happened.

The only file that knows ``trainables.driver``. Ray is started when the first job needs it.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import socket
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import ray
from ray import tune
from ray.tune.schedulers import TrialScheduler

from study import fleet, packing
from study.errors import ClusterError
from study.interleaved import Interleaved
from study.plan import Job, Plan
from trainables.config import TrialConfig
from trainables.store import Store

QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the journal keeps what they would
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is ours to answer
    "TUNE_GLOBAL_CHECKPOINT_S": "100000000",  # nothing is restored from Tune's snapshots
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_DEDUP_LOGS": "1",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


JOIN_S = 120.0
"""For the first node that can run trials to join a cluster."""


class Listener(Protocol):
    """What hears of the trials of a run, in the order in which things happen."""

    def began(self, job: Job) -> None:
        """A trial was given to a process."""

    def reported(self, job: Job, metrics: Mapping[str, float]) -> None:
        """An epoch is done."""

    def ended(self, job: Job, status: str, reason: str = "") -> None:
        """A trial is done, stopped early or failed."""

    def slots(self, slots: int, cpus: int, gpus: float) -> None:
        """Trials run from now on: so many at once, each with these resources."""


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
            if self.address is None or fleet.travels_already():
                ray.init(address=self.address or "local", **options)
            else:
                with fleet.code() as folder:
                    ray.init(address=self.address, runtime_env={"working_dir": str(folder)}, **options)
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

    def close(self) -> None:
        """Let go of Ray; a local one is stopped."""
        if ray.is_initialized():
            ray.shutdown()


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
        if found := packing.most_that_pay(packing.on_gpu(config, *where)):
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
                callbacks=[_Relay(job_of, cut, self.listener)],
                failure_config=tune.FailureConfig(max_failures=0),
            ),
        )
        try:
            tuner.fit()
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


class _Relay(tune.Callback):
    """Tune's callbacks, in the study's terms."""

    def __init__(self, job_of: Callable[[str], Job], cut: Mapping[str, str], listener: Listener) -> None:
        self._job_of = job_of
        self._cut = cut
        self._listener = listener
        self._jobs: dict[str, Job] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its callbacks for a restore that this project does not use."""
        return {}

    def _job(self, trial: Any) -> Job:
        if trial.trial_id not in self._jobs:
            self._jobs[trial.trial_id] = self._job_of(TrialConfig.from_dict(trial.config["trial"]).trial_key)
        return self._jobs[trial.trial_id]

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._listener.began(self._job(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self._listener.reported(self._job(trial), own_metrics(result))

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        job = self._job(trial)
        whole = trial.last_result.get("epoch", 0) >= job.config.training.epochs
        self._listener.ended(job, "done" if whole else "stopped", "" if whole else self._cut.get(job.key, ""))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        # Tune's own get_error() reads where the file will have been copied to later
        file = Path(trial.error_file) if trial.error_file else None
        text = file.read_text() if file is not None and file.exists() else ""
        self._listener.ended(self._job(trial), "failed", failure_reason(text))


def failure_reason(text: str) -> str:
    """The exception at the end of a trial's error file, ``Type: message``, in one line."""
    lines = [line.rstrip() for line in text.splitlines() if line.strip()]
    for line in reversed(lines):
        if match := re.match(r"(?:\w+\.)*([A-Z]\w*): (.+)", line):
            return f"{match[1]}: {match[2]}"
    return lines[-1].strip() if lines else "the process died"


def own_metrics(result: Mapping[str, Any]) -> dict[str, float]:
    """What the trial itself reported: ``epoch``, ``lr`` and the names with a slash."""
    return {name: value for name, value in result.items() if name in ("epoch", "lr") or "/" in name}


def first_line(error: BaseException) -> str:
    """An error in one line: its type and the last line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1]}" if lines else type(error).__name__
