"""Runs jobs on Ray Tune: builds the Tuner, listens to it, and tells the study what happened.

Ray is started or reached when the first job needs it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.tune.schedulers import TrialScheduler

from study import packing
from study.cluster import Cluster
from study.errors import Halted
from study.faults import LOSSES, database_fault
from study.interleaved import Interleaved
from study.plan import Job, Plan
from study.relay import Leave, Listener, Relay
from trainables.config import TrialConfig
from trainables.store import Store


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
        cpus, gpus = self.cluster.per_worker(self.plan.spec.resources)
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
            if (fault := database_fault(error)) is not None:
                raise Halted(fault) from error
            raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
