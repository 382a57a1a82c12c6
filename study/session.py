"""One launch of a study: opens what it needs, goes through the stages, leaves everything in order."""

from __future__ import annotations

import os
import platform
import signal
from collections.abc import Collection
from contextlib import ExitStack
from dataclasses import asdict
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from study import precision
from study.cluster import Cluster
from study.errors import Halted, StageFailed
from study.folder import StudyFolder
from study.journal import Journal
from study.lease import Lease, database_lock
from study.mirror import Mirror
from study.mlflow_client import connect
from study.mlflow_runs import Outcome
from study.ownership import listening
from study.pace import Expected
from study.places import shared, without_password
from study.plan import STAGES, Plan
from study.progress import Progress, duration
from study.queueing import searches
from study.recorder import Recorder
from study.registry import BestStudent, best_students
from study.runner import Runner
from study.stages import Stages
from study.tracking import Tracker
from trainables.files import write_json
from trainables.strict import to_plain

if TYPE_CHECKING:
    from study.report.write import Report

SEND_TIMEOUT_S = 600.0
SEND_TIMEOUT_INTERRUPTED_S = 3.0


class Session:
    """Context manager around one launch.

    Entering reaches for Ray and MLflow and takes the study's lock before anything is written; leaving sends
    what is left to MLflow and lets go of Ray.
    """

    def __init__(self, plan: Plan, folder: StudyFolder, cluster: Cluster, console: Console) -> None:
        self.plan = plan
        self.folder = folder
        self.console = console
        self.cluster = cluster
        self.report: Report | None = None
        self.students: list[BestStudent] = []
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
        if folder.mlflow_uri.startswith("http"):
            connect(folder)
        places = folder.places
        places.check()
        self._stack.enter_context(folder.lock())
        self._stack.enter_context(database_lock(folder.optuna_url, folder.name))
        if shared(folder.store.storage):
            self._stack.enter_context(Lease(folder.store.storage, folder.name).held(self._lost))
        self._stack.enter_context(listening(folder.stop_request))
        spec = {**to_plain(plan.spec), "code": list(plan.user_code), "searches": searches(plan)}
        write_json(folder.path / "study.json", spec)
        places.remember(folder.path)
        if plan.auto is not None:
            precision.keep(folder, plan.auto)
        mirror = self._fetch()
        journal = Journal(folder.journal)
        self._stack.callback(journal.close)
        expected = Expected.of(plan)
        journal.note("launch", host=platform.node(), pid=os.getpid(), **asdict(expected))
        self.progress = self._stack.enter_context(
            Progress(self.console, plan.spec.name, plan.spec.search.maximize, expected)
        )
        if mirror is not None:
            self._stack.enter_context(mirror.following(self.progress.say))
        self.tracker = Tracker(folder, spec, self.progress.say)
        self.tracker.replay(journal.records)
        self.recorder = Recorder(journal, [self.progress, self.tracker])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is KeyboardInterrupt:  # what follows takes seconds, and must not be cut short
            for signum in (signal.SIGINT, signal.SIGTERM):
                signal.signal(signum, signal.SIG_IGN)
        self.cluster.close()
        from study.report.write import write_csvs

        try:
            self.recorder.journal.note("leave", outcome=self._outcome(kind))
            write_csvs(self.folder, self.recorder.records)
        except (Halted, OSError) as fault:
            if kind is None:
                raise Halted(str(fault)) from fault
        finally:
            if self.report is not None:
                sent = self.tracker.close(SEND_TIMEOUT_S, Outcome(self.report.files, self.students))
            else:
                sent = self.tracker.close(SEND_TIMEOUT_INTERRUPTED_S)
            self._stack.close()
        if not sent:
            self.console.print("MLflow has not got everything yet; the same command again sends the rest")

    def _lost(self, reason: str) -> None:
        """The study is another launcher's now: end as if interrupted."""
        self.console.print(reason, soft_wrap=True)
        os.kill(os.getpid(), signal.SIGTERM)

    def _fetch(self) -> Mirror | None:
        """What launches on other machines noted, where the store is one that such machines see."""
        storage = self.folder.store.storage
        if not shared(storage):
            return None
        mirror = Mirror(storage, self.folder.name, self.folder.journal)
        if lines := mirror.fetch():
            self.console.print(f"{lines} lines of the journal came from {storage.url}", soft_wrap=True)
        return mirror

    def _outcome(self, kind: type[BaseException] | None) -> str:
        """How the launch ends, as the journal's last line says it."""
        if kind is not None:
            return "interrupted" if kind is KeyboardInterrupt else "stopped" if kind is Halted else "error"
        failed = any(record.status == "failed" for record in self.recorder.records.values())
        return "trials failed" if failed else "done"

    def run(self, names: Collection[str] = STAGES) -> None:
        """The stages named, each doing what is not yet done."""
        runner = Runner(self.plan, self.folder.store, self.cluster, self.recorder)
        stages = Stages(self.plan, self.folder, runner, self.recorder, self.progress.say)
        try:
            stages.run(names)
        except StageFailed as error:
            self.progress.say(str(error))
        self.ended = stages.ended
        if "report" not in names:
            return
        from study.report.frames import from_records
        from study.report.write import write_report  # takes seconds to import

        spec = self.plan.spec
        records, seeds, metric = self.recorder.records, spec.confirm.seeds, spec.search.maximize
        self.report = write_report(self.folder, records, metric, seeds)
        runs = from_records(spec.name, records.values(), seeds, metric)
        self.students = best_students(self.plan, runs)

    def conclude(self, seconds: float) -> bool:
        """Print the table and where everything is; whether no trial failed."""
        from study.report.tables import HEAD, shown

        say = self.console.print
        if self.report is not None and len(self.report.table):
            title = f"{self.folder.name}: test top-1 of confirmed configurations"
            table = Table(title=title, title_justify="left", box=None)
            for number, name in enumerate(HEAD):
                table.add_column(name, justify="right" if number >= 3 else "left")
            for row in shown(self.report.table):
                table.add_row(*row)
            say(table)
        else:
            say("no configuration was confirmed")
        reasons = dict.fromkeys(self.ended.values())
        for reason in reasons:
            which = [label for label, of in self.ended.items() if of == reason]
            say(f"search{'' if len(reasons) == 1 else ' of ' + ', '.join(which)} ended: {reason}")
        records = self.recorder.records.values()
        failed = sum(record.status == "failed" for record in records)
        say(f"{len(records)} trials, {failed} failed; this launch took {duration(seconds)}")
        for what, where in (
            ("CSVs, tables, figures", self.folder.path),
            ("MLflow", f"mlflow ui --backend-store-uri {self.folder.mlflow_uri}"),
            ("Optuna", f"optuna-dashboard {without_password(self.folder.optuna_url)}"),
        ):
            say(f"{what:22} {where}", soft_wrap=True)
        return failed == 0
