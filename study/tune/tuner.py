"""Runs trials on Ray Tune: builds the Tuner, listens to it, and reports to the study what happened.

The only file that knows ``trainables.ray_worker``. Ray is started or reached when the first trial needs it.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import ray
from ray import tune

from study.compute import gpu_packing as packing
from study.compute.cluster import Cluster
from study.compute.fair_share import fair_share
from study.compute.kept_packing import fingerprint, load_packing, save_packing
from study.compute.nodes import Nodes
from study.compute.ray_private import import_without_mlflow, use_plain_processes
from study.errors import StudyHalted
from study.journal.recorder import Recorder
from study.plan.expected import trials_a_kind
from study.plan.plan import Plan
from study.tune.callback import TuneCallback
from study.tune.failures import LOSSES, database_fault
from study.tune.leaving import TunerExit
from study.tune.phases import Phase
from study.tune.scheduler import StudyScheduler
from study.tune.searcher import PhaseSearcher
from trainables.config.trial import TrialConfig
from trainables.storage.run_store import RunStore

if TYPE_CHECKING:
    from trainables.training.process import ProcessSettings

log = logging.getLogger(__name__)


class StudyTuner:
    """Runs the trials of one plan on a cluster."""

    def __init__(self, plan: Plan, store: RunStore, cluster: Cluster, recorder: Recorder) -> None:
        self.plan = plan
        self.store = store
        self.cluster = cluster
        self.recorder = recorder

    def run(self, phases: Iterator[Phase]) -> None:
        """Run the trials of one phase after the other; without any, Ray is left alone."""
        phase = next(phases, None)
        while phase is not None:
            if phase.before is not None:
                phase.before()
            phase = self._run(phase, phases)

    def measure_share(self, config: TrialConfig) -> None:
        """Find how many trials like ``config`` share a GPU best; do nothing where the cluster has none."""
        study, store = self.plan.spec.name, str(self.store.root)
        self.cluster.connect()
        nodes = self.cluster.nodes()
        if nodes.largest("GPU") < 1:
            return
        packed = {
            trials: packing.PackedTrial(config, store, self.plan.raw, self._process(nodes, 1.0 / trials))
            for trials in packing.COUNTS
        }
        same = fingerprint(packed.values(), nodes)
        found = load_packing(self.store, study, same)
        if not found:
            found, cut_short = packing.measure_until_cut_short(
                lambda trials: packing.measure_packing(trials, packed[trials], nodes)
            )
            if cut_short is None:
                save_packing(self.store, study, same, found)
            else:
                log.warning(
                    "trials on one device: measuring was cut short, the next launch measures again (%s)",
                    cut_short,
                )
        if not found:
            log.info("trials on one device: nothing could be measured; each gets a whole one")
            return
        self.cluster.share = 1.0 / found[-1].trials
        log.info(packing.summary(found))

    def _fit(self, nodes: Nodes, gpus: float) -> int:
        """Count the trials at once that ``nodes`` have room for, so many GPUs a worker; at least 1."""
        wanted = self.plan.spec.resources
        return max(1, nodes.trials(wanted.cpus_per_trial, gpus) // wanted.workers_per_trial)

    def _process(self, nodes: Nodes, gpus: float) -> ProcessSettings:
        """Return what each process of a trial is given where one has so many GPUs."""
        from trainables.engine.runtime import CachePolicy
        from trainables.training.process import ProcessSettings

        wanted = self.plan.spec.resources
        return ProcessSettings(
            user_code=self.plan.user_code,
            cpus=wanted.cpus_per_trial,
            gpus=gpus,
            cache_policy=CachePolicy(budget=wanted.views),
            compile_mode=wanted.engine,
            trials=trials_a_kind(self.plan, wanted.max_concurrent or self._fit(nodes, gpus)),
        )

    def _run(self, first: Phase, phases: Iterator[Phase]) -> Phase | None:
        """Run phases until one wants something done first, which is returned."""
        from trainables.ray_worker.trainable import TrialResources, trainable

        self.cluster.connect()
        cpus, gpus = self.cluster.per_worker(self.plan.spec.resources)
        wanted = self.plan.spec.resources
        workers = wanted.workers_per_trial
        nodes = self.cluster.nodes()
        fit = self._fit(nodes, gpus)
        at_once = wanted.max_concurrent or fit
        self.recorder.slots(at_once, workers * cpus, workers * gpus)
        given = TrialResources(
            store=self.store.root,
            raw=ray.put(self.plan.raw),
            process=self._process(nodes, gpus),
            workers=workers,
            safe="safe" in ray.cluster_resources(),  # type: ignore[no-untyped-call]
        )
        one_machine = self.cluster.address is None and nodes.most == workers == 1
        shared = fit * cpus if one_machine and not gpus and wanted.max_concurrent is None else 0
        searcher = PhaseSearcher(first, phases, fair_share(at_once, self.cluster.studies), shared)
        most_failed = self.plan.spec.budget.max_failures
        callback = TuneCallback(searcher, self.recorder, most_failed, self.cluster.check)
        scratch = Path(tempfile.mkdtemp(prefix="sdd-tune-"))
        tuner = tune.Tuner(
            trainable(given),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=StudyScheduler(searcher),
                num_samples=-1,
                max_concurrent_trials=at_once,
                reuse_actors=True,
            ),
            run_config=tune.RunConfig(
                name="study",
                storage_path=str(scratch),
                verbose=0,
                callbacks=[callback],
                failure_config=tune.FailureConfig(max_failures=LOSSES),
            ),
        )
        import_without_mlflow()
        use_plain_processes()
        try:
            tuner.fit()
        except TunerExit as leave:
            if (fault := database_fault(leave.reason)) is not None:
                raise StudyHalted(fault) from leave.reason
            raise leave.reason from leave.reason.__cause__
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        return searcher.held
