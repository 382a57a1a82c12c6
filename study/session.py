"""Goes through one launch of a study: opens what it needs, runs the stages, leaves everything in order."""

from __future__ import annotations

import logging
import os
import platform
import shlex
import signal
import sys
from collections.abc import Collection
from contextlib import ExitStack
from types import TracebackType

from study.background import ENDING_SIGNALS
from study.compute.cluster import Cluster
from study.errors import StageFailed, StudyHalted
from study.journal.journal import Journal
from study.journal.notes import LaunchNote, LeaveNote, Outcome
from study.journal.recorder import Recorder
from study.journal.replica import JournalReplica
from study.monitoring.labels import duration
from study.monitoring.launch_log import LaunchLog
from study.monitoring.progress import ProgressDisplay
from study.plan import precision
from study.plan.expected import ExpectedTrials
from study.plan.plan import STAGES, Plan
from study.plan.study_file import StudyFile
from study.search.enqueue import searches
from study.search.objectives import Objectives
from study.stages.pipeline import run_stages
from study.stages.report import StudyReport, log_ends, log_where, print_summary, write_study_report
from study.stages.stage import StageContext
from study.tracking.client import check_tracking
from study.tracking.uploader import MlflowUploader
from study.tune.tuner import StudyTuner
from study.workspace.folder import StudyFolder
from study.workspace.lease import Lease, database_lock
from study.workspace.locations import shared
from study.workspace.lock import listening
from study.workspace.sqlite import sqlite_file

log = logging.getLogger(__name__)

SEND_TIMEOUT_S = 600.0
SEND_TIMEOUT_INTERRUPTED_S = 3.0


class Session:
    """Holds open what one launch needs, as a context manager.

    Entering reaches for Ray and MLflow and takes the study's lock before anything is written; leaving sends
    what is left to MLflow and lets go of Ray.
    """

    def __init__(self, plan: Plan, folder: StudyFolder, cluster: Cluster, launch_log: LaunchLog) -> None:
        self.plan = plan
        self.folder = folder
        self.console = launch_log.console
        self.cluster = cluster
        self._log = launch_log
        self.report: StudyReport | None = None
        self.ended: dict[str, str] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Session:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def _open(self) -> None:
        plan, folder = self.plan, self.folder
        if self.cluster.address is not None:
            self.cluster.connect()
        check_tracking(folder, log.info)
        places = folder.locations
        places.check()
        self._stack.enter_context(folder.lock())
        self._stack.enter_context(database_lock(folder.optuna_url, folder.name))
        if shared(folder.store.storage):
            self._stack.enter_context(Lease(folder.store.storage, folder.name).held(self._lost))
        self._stack.enter_context(listening(folder.stop_request))
        mirror = self._fetch()
        journal = Journal(folder.journal)  # read before anything is said of the study, or written
        self._stack.callback(journal.close)
        if plan.search_spaces:
            self._check_search()
        self._log.keep_in(folder.path / "launch.log")
        log.debug(f"launched as {shlex.join(sys.orig_argv)} on {platform.node()}, process {os.getpid()}")
        costs = Objectives.of(plan).costs
        file = StudyFile.of(plan.spec, plan.user_code, searches(plan), costs)
        file.write(folder)
        places.remember(folder.path)
        if plan.auto is not None:
            precision.keep(folder, plan.auto)
        expected = ExpectedTrials.of(plan)
        note = LaunchNote(
            host=platform.node(), pid=os.getpid(), epochs=expected.epochs, trials=expected.trials
        )
        journal.note(note)
        self.progress = self._stack.enter_context(
            ProgressDisplay(
                self.console, plan.spec.name, plan.spec.search.maximize, expected, journal.records
            )
        )
        if mirror is not None:
            self._stack.enter_context(mirror.following(log.warning))
        self.tracker = MlflowUploader(folder, file.plain, log.warning)
        self._stack.callback(self.tracker.close, 0.0)  # its thread ends however the launch does
        self.tracker.replay(journal.records)
        self.recorder = Recorder(journal, [self.progress, self.tracker])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is KeyboardInterrupt:
            ignore_signals()
        if kind is not None:
            log.debug(f"the launch ends early: {kind.__name__}", exc_info=error)
        try:
            self.cluster.close()
            from study.results.csv_files import write_csvs

            self.recorder.journal.note(LeaveNote(outcome=self._outcome(kind)))
            write_csvs(self.folder, self.recorder.records)
        except (StudyHalted, OSError) as fault:
            if kind is None:
                raise StudyHalted(str(fault)) from fault
        except KeyboardInterrupt:
            ignore_signals()
            self.report = None
            raise
        finally:
            try:
                self._send_the_rest()
            finally:
                self._stack.close()

    def _send_the_rest(self) -> None:
        """Send to MLflow what it lacks: a finished study's whole, else what goes in a few seconds."""
        sent = False
        try:
            if self.report is not None:
                sent = self.tracker.close(SEND_TIMEOUT_S, self.report.outcome)
            else:
                sent = self.tracker.close(SEND_TIMEOUT_INTERRUPTED_S)
        except KeyboardInterrupt:
            ignore_signals()
            self.tracker.close(SEND_TIMEOUT_INTERRUPTED_S)
            raise
        finally:
            if not sent:
                log.warning("MLflow has not got everything yet; the same command again sends the rest")

    def _check_search(self) -> None:
        """Check that Optuna's database can be used, and that its searches of our names are this study's."""
        from study.search.optuna_storage import open_optuna_storage
        from study.search.ownership import check_owner

        url = self.folder.optuna_url
        file = sqlite_file(url)
        if file is None or file.exists():
            names = map(self.plan.search_name, self.plan.search_spaces)
            check_owner(open_optuna_storage(url, log.warning), names, self.folder.journal)

    def _lost(self, reason: str) -> None:
        """End as if interrupted, since the study is another launcher's now."""
        log.warning(reason)
        os.kill(os.getpid(), signal.SIGTERM)

    def _fetch(self) -> JournalReplica | None:
        """Fetch what launches on other machines noted, where the store is one that such machines see."""
        storage = self.folder.store.storage
        if not shared(storage):
            return None
        mirror = JournalReplica(storage, self.folder.name, self.folder.journal)
        if lines := mirror.fetch():
            log.info(f"{lines} lines of the journal came from {storage.url}")
        return mirror

    def _outcome(self, kind: type[BaseException] | None) -> Outcome:
        """Return how the launch ends, as the journal's last line says it."""
        if kind is not None:
            return (
                "interrupted" if kind is KeyboardInterrupt else "stopped" if kind is StudyHalted else "error"
            )
        failed = any(record.status == "failed" for record in self.recorder.records.values())
        return "trials failed" if failed else "done"

    def run(self, names: Collection[str] = STAGES) -> None:
        """Run the stages named; each does what is not yet done."""
        tuner = StudyTuner(self.plan, self.folder.store, self.cluster, self.recorder)
        context = StageContext(self.plan, self.folder, tuner, self.recorder)
        try:
            run_stages(context, names)
        except StageFailed as error:
            log.warning(str(error))
        self.ended = context.ended
        if "report" in names:
            self.report = write_study_report(self.plan, self.folder, self.recorder.records)

    def conclude(self, seconds: float) -> bool:
        """Print the table and where everything is; return whether no trial failed."""
        print_summary(self.console, self.folder, self.report.report if self.report else None)
        log_ends(self.ended)
        records = self.recorder.records.values()
        failed = sum(record.status == "failed" for record in records)
        log.info(f"{len(records)} trials, {failed} failed; this launch took {duration(seconds)}")
        log_where(self.folder)
        return failed == 0


def ignore_signals() -> None:
    """Let nothing interrupt what follows: it takes seconds, and leaves things in order."""
    for signum in ENDING_SIGNALS:
        signal.signal(signum, signal.SIG_IGN)
