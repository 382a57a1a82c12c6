"""Finds or starts the Ray cluster of a launch, asks what it has, and lets go of it."""

from __future__ import annotations

import gc
import logging
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import ray

from study.background import ENDING_SIGNALS
from study.compute import address as address_
from study.compute import nodes as fleet
from study.compute import working_dir as working_dir_
from study.compute.address import check_answers
from study.compute.fair_share import LaunchMarker
from study.compute.local_ray import start
from study.compute.watchdog import Watchdog
from study.errors import ClusterError, one_line
from study.spec.study import Resources
from trainables.engine.device import best_device, best_precision

if TYPE_CHECKING:
    from trainables.engine.device import Precision

QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",  # the journal keeps what they would
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # Ctrl-C is ours to answer
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",  # a trial's last words have no metrics
    "TUNE_PRINT_ALL_TRIAL_ERRORS": "0",  # a trial's reason is told in one line
    "TUNE_GLOBAL_CHECKPOINT_S": "100000000",  # nothing is restored from Tune's snapshots
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_prestart_worker_first_driver": "0",  # the first is started when its trial is known
}


JOIN_S = 120.0
"""Seconds for the first node that can run trials to join a cluster."""


class Cluster:
    """Holds the Ray cluster a study runs on; Ray is started or reached when it is first needed.

    That is the one this process uses already, such as a notebook's; the one at ``address``, at
    ``RAY_ADDRESS``, or the one this machine is a node of; else, and for ``local``, one of its own. ``leave``
    ends the process where Ray has gone and a call of Ray's does not return; see :class:`Watchdog`.

    >>> cluster = Cluster("local")
    >>> cluster.address is None, cluster.studies()
    (True, 1)
    >>> cluster.close()
    """

    def __init__(self, address: str | None, leave: Callable[[str], None] | None = None) -> None:
        named = address or os.environ.get("RAY_ADDRESS") or address_.own_cluster()
        self.address = None if named == "local" else named
        self.share: float | None = None
        """Part of a GPU that was measured to be best for a trial; None where nothing was measured."""
        self._presence: LaunchMarker | None = None
        self._leave = leave
        self._watch: Watchdog | None = None
        self._watching = ExitStack()
        self._starting: Future[None] | None = None
        self._borrowed = ray.is_initialized()
        self._thread = ThreadPoolExecutor(1, "ray-start")

    def begin(self) -> None:
        """Start a local Ray while the caller goes on preparing; :meth:`connect` waits for it."""
        if self.address is None and self._starting is None and not ray.is_initialized():
            self._starting = self._thread.submit(self._connect)

    def connect(self) -> None:
        """Start or reach Ray, once."""
        if self._borrowed:
            quieten()
        elif self._starting is not None:
            with own_signals():
                self._starting.result()
        elif not ray.is_initialized():
            self._connect()
        if self._leave is not None and self._watch is None:
            self._watch = Watchdog(self.address is None and not self._borrowed, self._leave)
            self._watching.enter_context(self._watch.watching())

    def _connect(self) -> None:
        quieten()
        if self.address is not None:
            check_answers(self.address)
        options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
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
            raise ClusterError(
                f"cannot reach Ray {where}: {one_line(error, part='last', kind=True)}; {remedy}"
            ) from None

    def _start(self, options: dict[str, Any]) -> None:
        if self.address is not None and not working_dir_.travels_already():
            with working_dir_.code() as folder:
                ray.init(address=self.address, runtime_env={"working_dir": str(folder)}, **options)
        elif self.address is not None:
            ray.init(address=self.address, **options)
        else:
            start(options)

    def per_worker(self, wanted: Resources) -> tuple[int, float]:
        """Return CPUs and GPUs of one worker of a trial.

        Raises:
            ClusterError: a trial never fits.
        """
        nodes = self._joined()
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

    def precision(self, wanted: Resources) -> Precision:
        """Return the best precision for all GPUs of the cluster, or for this machine where none is used."""
        if self.address is None or wanted.gpus_per_trial == 0:
            return best_precision(best_device(wanted.gpus_per_trial))
        self.connect()
        return fleet.gpu_precision(self._joined()) or best_precision()

    def _joined(self) -> fleet.Nodes:
        """Return the nodes, once there is one that can run trials."""
        nodes, end = self.nodes(), time.monotonic() + JOIN_S
        while self.address is not None and nodes.largest("CPU") == 0 and time.monotonic() < end:
            time.sleep(1)  # right after the cluster's start: the head alone, which runs no trials
            nodes = self.nodes()
        return nodes

    def nodes(self) -> fleet.Nodes:
        """Return the nodes there are, or, where the cluster grows by demand, may be."""
        grown = fleet.growth() if self.address is not None else None
        if grown is not None and grown.kinds:
            return grown
        alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]
        if grown is None:
            return fleet.Nodes(tuple((resources, 1) for resources in alive), len(alive))
        return fleet.Nodes(tuple((resources, grown.most) for resources in alive), grown.most)

    def studies(self) -> int:
        """Count the studies that share the cluster; a local one is this study's alone."""
        if self.address is None:
            return 1
        if self._presence is None:
            self._presence = LaunchMarker()
        return self._presence.studies()

    def check(self) -> None:
        """Raise :class:`StudyHalted` once Ray is gone."""
        if self._watch is not None:
            self._watch.check()

    def close(self) -> None:
        """Let go of Ray; a local one that was started here is stopped."""
        if self._starting is not None:
            wait([self._starting])
        self._watching.close()
        self._presence = None  # the marker goes with its last reference
        if ray.is_initialized() and not self._borrowed:
            with own_signals(), no_collection():
                ray.shutdown()
        self._starting = None
        self._thread.shutdown()  # not before: Ray's processes are to die with the thread that started them


def quieten() -> None:
    """Have Ray, and above all Tune, leave to the launcher what there is to tell and to keep."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    for noisy in ("ray.train", "ray"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    logging.getLogger("ray.tune").setLevel(logging.CRITICAL)  # its errors are trials that failed


@contextmanager
def no_collection() -> Iterator[None]:
    """Let no thread collect garbage inside; what there is now is collected before.

    A reference of Ray's that is collected while Ray shuts down ends the process: exit 1, in Ray's words.
    Which thread collects is a matter of chance.
    """
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextmanager
def own_signals() -> Iterator[None]:
    """Keep the answers to what ends a launch: Ray puts an abort with a stack trace in the place of ours."""
    kept = {number: signal.getsignal(number) for number in ENDING_SIGNALS}
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, answer in kept.items():
                signal.signal(number, answer)
