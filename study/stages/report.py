"""The last stage: tables and figures, the best students, and the words with which a launch ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from study.journal.record import TrialRecord
from study.plan.plan import Plan
from study.tracking.model_registry import BestStudent, best_students
from study.tracking.run_writer import StudyOutcome
from study.workspace.folder import StudyFolder

if TYPE_CHECKING:
    from study.report.write import Report


@dataclass(frozen=True, slots=True)
class StudyReport:
    """What a finished study leaves behind: its report, and the best student of each pair."""

    report: Report
    students: list[BestStudent] = field(default_factory=list)

    @property
    def outcome(self) -> StudyOutcome:
        """What of it MLflow gets."""
        return StudyOutcome(self.report.files, self.students)


def write_study_report(plan: Plan, folder: StudyFolder, records: dict[str, TrialRecord]) -> StudyReport:
    """Write the CSVs, tables, figures and page of a study, and choose its best students."""
    from study.report.write import write_report  # takes seconds to import
    from study.results.frames import from_records

    spec = plan.spec
    seeds, metric = spec.confirm.seeds, spec.search.maximize
    report = write_report(folder, records, metric, seeds)
    runs = from_records(spec.name, records.values(), seeds, metric)
    return StudyReport(report, best_students(plan, runs))


def print_summary(console: Console, folder: StudyFolder, report: Report | None) -> None:
    """Print the table of confirmed configurations."""
    from study.report.tables.summary import HEAD, shown

    if report is None or not len(report.table):
        console.print("no configuration was confirmed")
        return
    title = f"{folder.name}: test top-1 of confirmed configurations"
    table = Table(title=title, title_justify="left", box=None)
    for number, name in enumerate(HEAD):
        table.add_column(name, justify="right" if number >= 4 else "left")
    for row in shown(report.table):
        table.add_row(*row)
    console.print(table)


def print_ends(console: Console, ended: Mapping[str, str]) -> None:
    """Print why each search is at its end; searches that ended alike share a line."""
    reasons = dict.fromkeys(ended.values())
    for reason in reasons:
        which = [label for label, of in ended.items() if of == reason]
        console.print(f"search{'' if len(reasons) == 1 else ' of ' + ', '.join(which)} ended: {reason}")


def print_where(console: Console, folder: StudyFolder) -> None:
    """Print where the results are and how they are looked at."""
    for what, where in folder.ways_in:
        console.print(f"{what:22} {where}", soft_wrap=True)
