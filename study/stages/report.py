"""Writes, in the last stage, tables and figures, and says with what a launch ends."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from study.journal.record import TrialRecord
from study.plan.plan import Plan
from study.plan.study_file import StudyFile
from study.tracking.model_registry import BestStudent, best_students
from study.tracking.study_run import StudyOutcome, confirmed_metrics
from study.workspace.folder import StudyFolder

if TYPE_CHECKING:
    from study.report.write import Report

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class StudyReport:
    """Holds what a finished study leaves behind: its report, and the best student of each pair."""

    report: Report
    students: list[BestStudent] = field(default_factory=list)

    @property
    def outcome(self) -> StudyOutcome:
        """Part of it that MLflow gets."""
        rows = self.report.table.to_dict("records")
        return StudyOutcome(
            self.report.files, self.students, confirmed_metrics(rows), self.report.conclusions
        )


def write_study_report(plan: Plan, folder: StudyFolder, records: dict[str, TrialRecord]) -> StudyReport:
    """Write the CSVs, tables, figures and page of a study, and choose its best students."""
    from study.report.write import write_report  # takes seconds to import
    from study.results.frames import from_records
    from study.results.loaded_study import SearchGoals

    goals = SearchGoals.of(StudyFile.read(folder))
    report = write_report(folder, records, plan.spec.confirm, goals)
    runs = from_records(plan.spec.name, records.values(), plan.spec.confirm, goals.objectives.metric, goals)
    return StudyReport(report, best_students(plan, runs))


def print_summary(console: Console, folder: StudyFolder, report: Report | None) -> None:
    """Print the table of confirmed configurations; nothing where the stage report was left out."""
    from study.report.tables.summary import HEAD, markdown, notes, shown
    from study.results.rung_ranking import NEAR_CHANCE

    if report is None:
        return
    for note in report.rungs:
        (log.warning if NEAR_CHANCE in note else log.info)(note)
    if not len(report.table):
        log.info("no configuration was confirmed")
        return
    title = f"{folder.name}: test top-1 of confirmed configurations"
    table = Table(title=title, title_justify="left", box=None)
    for number, name in enumerate(HEAD):
        table.add_column(name, justify="right" if number >= 4 else "left")
    for row in shown(report.table):
        table.add_row(*row)
    console.print(table)
    log.debug(f"{title}\n{markdown(report.table)}")
    for line in [*notes(report.table), *report.conclusions]:
        log.info(line)


def log_ends(ended: Mapping[str, str]) -> None:
    """Say why each search is at its end; searches that ended alike share a line."""
    reasons = dict.fromkeys(ended.values())
    for reason in reasons:
        which = [label for label, of in ended.items() if of == reason]
        log.info(f"search{'' if len(reasons) == 1 else ' of ' + ', '.join(which)} ended: {reason}")


def log_where(folder: StudyFolder) -> None:
    """Say where the results are and how they are looked at."""
    for what, where in folder.ways_in:
        log.info(f"{what:22} {where}")
