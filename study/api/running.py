"""Runs a study in this process: the one way that the ``launch`` command and :func:`study.run` both go."""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Collection, Iterable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from study.background import ENDING_SIGNALS
from study.errors import INTERRUPTED, SpecError, StudyHalted
from study.plan import precision
from study.plan.plan import STAGES, Plan
from study.plan.resolve import resolved
from study.tune.failures import told
from trainables.errors import suggestion
from trainables.storage.blobs import StorageError

if TYPE_CHECKING:
    from study.monitoring.launch_log import LaunchLog
    from study.spec.study import StudySpec
    from study.workspace.folder import StudyFolder

log = logging.getLogger(__name__)


def run_study(
    spec: StudySpec,
    folder: StudyFolder,
    stages: Collection[str],
    address: str | None,
    launch_log: LaunchLog,
    again: str,
    where: str = "",
) -> bool:
    """Run a study to its end, or until it is interrupted; return whether no trial failed.

    Nothing is written before the study has proved to be right, Ray and MLflow to be there, and nobody else to
    run it. The ending signals are expected to raise ``KeyboardInterrupt``.

    Args:
        stages: those to go through, of :data:`STAGES`.
        address: of a Ray cluster; None for the one this machine is a node of, or one of its own.
        launch_log: entered; takes what there is to say.
        again: what to type in order to go on, shown where the study does not reach its end.
        where: first word of an error, such as the space file; the study's name unless given.

    Raises:
        UserError: the study, its data or its surroundings are not as they must be; nothing was run.
        KeyboardInterrupt: it was interrupted; what was done is kept.
        StudyHalted: a full disk, a store out of reach or the like ended it; what was done is kept.
    """
    from study.compute import ray_environment

    ray_environment.prepare()
    from study.compute.cluster import Cluster
    from study.plan.expected import expects_trials

    began, runs = time.monotonic(), set(stages) != {"report"}

    def tell(what: str) -> None:
        log.info(f"{what}; nothing is lost. Go on with:\n  {again}")

    def leave(reason: str) -> None:
        launch_log.console.show_cursor()
        tell(f"stopped: {reason}")
        sys.stdout.flush()
        os._exit(INTERRUPTED)

    folder.check()
    try:
        with closing(Cluster(address, leave)) as cluster:
            if runs and expects_trials(folder, spec):
                cluster.begin()
            plan = resolved(spec, where, lambda: precision.kept(folder) or cluster.precision(spec.resources))
            check_stages(stages, plan, folder)
            for remark in plan.raw.remarks:
                log.warning(f"{plan.data.name}: {remark}")
            if runs and plan.auto is not None and (best := cluster.precision(spec.resources)) != plan.auto:
                kept = f"precision: {plan.auto}, as when this study began; auto would be {best} here"
                log.info(f"{kept} (training.precision changes it)")
            from study.session import Session

            with Session(plan, folder, cluster, launch_log) as session:
                session.run(stages)
    except KeyboardInterrupt:
        tell("interrupted")
        raise
    except (StudyHalted, StorageError, OSError) as error:
        tell(f"stopped: {told(error)}")
        raise StudyHalted(told(error)) from error
    return session.conclude(time.monotonic() - began)


def chosen_stages(names: Iterable[str] | None) -> tuple[str, ...]:
    """Return the stages to go through, all of them for None; :class:`SpecError` for one there is not."""
    chosen = STAGES if names is None else tuple(name.strip() for name in names)
    for name in chosen:
        if name not in STAGES:
            raise SpecError(f"--stages: there is no stage '{name}'; {suggestion(name, STAGES)}")
    return chosen


def check_stages(chosen: Collection[str], plan: Plan, folder: StudyFolder) -> None:
    """Raise :class:`SpecError` where what ``chosen`` stages need of those left out is not there."""
    if "teachers" not in chosen and set(chosen) & {"search", "confirm"}:
        for pair in plan.spec.each_pair:
            if pair.weights is None and folder.store.run(plan.teacher_trial(pair).key).result() is None:
                raise SpecError(
                    f"--stages: teacher {pair.teacher} is not trained yet; add the stage teachers"
                )


def raise_on_signals() -> dict[int, Any]:
    """Have :data:`ENDING_SIGNALS` raise ``KeyboardInterrupt`` from now on; return their answers until now.

    A shell's background jobs ignore SIGINT by default, and the others end a process where it stands. A SIGHUP
    that is ignored stays so: that is what ``nohup`` is for.
    """
    ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
    return {number: signal.signal(number, _interrupt) for number in ENDING_SIGNALS if number not in ignored}


def _interrupt(signum: int, frame: Any) -> None:
    raise KeyboardInterrupt
