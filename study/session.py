"""One launch of a study: opens what it needs, goes through the stages, leaves everything in order."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

from rich.console import Console
from rich.table import Table

from study.describe import confirm_trials
from study.folder import StudyFolder
from study.journal import Journal
from study.methods import at_paper
from study.plan import Plan
from study.progress import Progress, duration
from study.recorder import Recorder
from study.report.tables import HEAD, shown
from study.report.write import Report, write_csvs, write_report
from study.runner import Cluster, Runner
from study.stages import StageFailed, Stages
from study.tracking import Tracker, connect, finish_parent
from trainables.store import write_json
from trainables.strict import to_plain


class Session:
    """Context manager around one launch.

    Entering checks MLflow and takes the study's lock before anything is written; leaving sends what is left to
    MLflow and lets go of Ray.
    """

    def __init__(self, plan: Plan, folder: StudyFolder, address: str | None, console: Console) -> None:
        self.plan = plan
        self.folder = folder
        self.console = console
        self.cluster = Cluster(address)
        self._stack = ExitStack()
        self._interrupted = False

    def __enter__(self) -> Session:
        plan, folder = self.plan, self.folder
        if self.cluster.address is not None:
            self.cluster.connect()
        if folder.mlflow_uri.startswith("http"):
            connect(folder)
        self._stack.enter_context(folder.lock())
        spec = to_plain(plan.spec)
        write_json(folder.path / "study.json", spec)
        journal = Journal(folder.journal)
        self._stack.callback(journal.close)
        epochs = plan.spec.training.epochs
        teacher_epochs = (plan.spec.teacher_training or plan.spec.training).epochs
        trials = {
            "teachers": 0,
            "search": plan.spec.search.trials * len(plan.arms),
            "confirm": confirm_trials(plan),
        }
        self.progress = Progress(
            self.console,
            folder.name,
            plan.spec.search.maximize,
            {"teachers": teacher_epochs, "search": epochs, "confirm": epochs, "starting": epochs},
            trials,
        )
        self.tracker = Tracker(folder, spec, self.progress.say)
        self.tracker.replay(journal.records)
        self.recorder = Recorder(journal, [self.progress, self.tracker, PaperWatch(plan, self.progress)])
        self._stack.enter_context(self.progress)
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        interrupted = kind is not None
        if interrupted:
            write_csvs(self.folder, self.recorder.records)
        self.cluster.close()
        if not self.tracker.close(3.0 if interrupted else 600.0) and not interrupted:
            self.console.print("MLflow has not got everything yet; the same command again sends the rest")
        self._stack.close()

    def run(self) -> Report:
        """All stages, each doing what is not yet done."""
        runner = Runner(self.plan, self.folder.store, self.cluster, self.recorder)
        stages = Stages(self.plan, self.folder, runner, self.recorder)
        try:
            stages.train_teachers()
            stages.search()
            stages.confirm()
        except StageFailed as error:
            self.progress.say(str(error))
        spec = self.plan.spec
        report = write_report(self.folder, self.recorder.records, spec.search.maximize, spec.confirm.seeds)
        return report

    def conclude(self, report: Report, seconds: float) -> int:
        """Print the table and where everything is; returns the exit code."""
        table = Table(
            title=f"{self.folder.name}: test top-1 of confirmed configurations", title_justify="left"
        )
        for number, name in enumerate(HEAD):
            table.add_column(name, justify="right" if number >= 3 else "left")
        for row in shown(report.table):
            table.add_row(*row)
        say = self.console.print
        say(table if report.table is not None and len(report.table) else "no configuration was confirmed")
        failed = [record for record in self.recorder.records.values() if record.status == "failed"]
        say(
            f"{len(self.recorder.records)} trials, {len(failed)} failed, this launch took {duration(seconds)}"
        )
        say(f"CSVs, tables, figures  {self.folder.path}", soft_wrap=True)
        say(f"MLflow                 mlflow ui --backend-store-uri {self.folder.mlflow_uri}", soft_wrap=True)
        say(f"Optuna                 optuna-dashboard {self.folder.optuna_url}", soft_wrap=True)
        finish_parent(self.tracker, report.files, {})
        return 3 if failed else 0


class PaperWatch:
    """Notes the validation value of the paper's configuration when its trial is whole."""

    def __init__(self, plan: Plan, progress: Progress) -> None:
        self.plan = plan
        self.progress = progress

    def stage(self, name: str, total: int, left: int) -> None:
        """Nothing to note."""

    def began(self, job: Any, record: Any) -> None:
        """Nothing to note."""

    def reported(self, record: Any, epoch: int) -> None:
        """Nothing to note."""

    def ended(self, record: Any) -> None:
        """The paper's configuration is one whose method equals the resolved paper method of its pair."""
        metric = self.plan.spec.search.maximize
        if record.stage != "search" or metric not in record.final:
            return
        pair = next(pair for pair in self.plan.spec.pairs if pair.label == record.pair)
        for method in self.plan.spec.searched:
            paper = at_paper(method, (pair.teacher, pair.student)).method(pair.teacher, pair.student)
            if to_plain(paper) == record.config["method"]:
                self.progress.note_paper(record.final[metric])
