"""Writes, in the last stage, tables and figures, and says with what a launch ends."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from study.journal.record import TrialRecord
from study.plan.plan import Plan
from study.search.objectives import Objectives
from study.search.pareto_stopping import hypervolumes
from study.tracking.model_registry import BestStudent, best_students
from study.tracking.run_writer import StudyOutcome
from study.workspace.folder import StudyFolder
from trainables.storage.files import write_atomically

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
        return StudyOutcome(self.report.files, self.students)


def write_study_report(plan: Plan, folder: StudyFolder, records: dict[str, TrialRecord]) -> StudyReport:
    """Write the CSVs, tables, figures and page of a study, and choose its best students."""
    from study.report.write import Report, write_report  # takes seconds to import
    from study.results.frames import from_records

    spec = plan.spec
    asked, metric = spec.confirm, spec.search.maximize
    report = write_report(folder, records, metric, asked)
    runs = from_records(spec.name, records.values(), asked, metric)
    limits = [*write_limits(plan, folder, records), *write_hypervolume(plan, folder, records)]
    return StudyReport(Report(report.table, [*report.files, *limits]), best_students(plan, runs))


def write_limits(plan: Plan, folder: StudyFolder, records: Mapping[str, TrialRecord]) -> list[Path]:
    """Write which pairs and trials were within ``Search.subject_to``; nothing where there is no limit."""
    limits: dict[str, float] = {str(name): most for name, most in plan.spec.search.subject_to.items()}
    if not limits:
        return []
    objectives = Objectives(plan)
    rows = []
    for pair in plan.spec.each_pair:
        trials = [r for r in records.values() if r.stage == "search" and r.pair == pair.label]
        for name, most in limits.items():
            over = [objectives.constraints(trial.final, pair.label).get(name) for trial in trials]
            known = objectives.constraints({}, pair.label).get(name)
            within = sum(value is not None and value <= 0 for value in over)
            cost = "" if known is None else f"{(known + 1) * most:.6g}"
            rows.append([pair.label, name, f"{most:g}", cost, str(len(trials)), str(within)])
    head = ["pair", "limited", "most", "of the student", "trials", "within"]
    lines = ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
    files = {
        "limits.csv": "".join(",".join(row) + "\n" for row in (head, *rows)),
        "limits.md": "\n".join(lines) + "\n",
    }
    for name, text in files.items():
        write_atomically(folder.path / "tables" / name, text.encode())
    return [folder.path / "tables" / name for name in files]


def write_hypervolume(plan: Plan, folder: StudyFolder, records: Mapping[str, TrialRecord]) -> list[Path]:
    """Write how the front of each search with several objectives grew; nothing for one objective."""
    objectives = Objectives(plan)
    if len(objectives.names) == 1:
        return []
    lines = ["search,trial,trial_key,hypervolume"]
    for space in plan.search_spaces:
        mine = [r for r in records.values() if r.search == space.label and r.status == "done"]
        ended = sorted(mine, key=lambda record: record.ended or 0.0)
        losses = [objectives.losses(record.final, record.pair) for record in ended]
        known = [(record, each) for record, each in zip(ended, losses, strict=True) if each]
        volumes = hypervolumes([each for _, each in known])
        for number, ((record, _), volume) in enumerate(zip(known, volumes, strict=True), 1):
            lines.append(f"{space.label},{number},{record.key},{volume:.8g}")
    file = folder.path / "tables" / "hypervolume.csv"
    write_atomically(file, ("\n".join(lines) + "\n").encode())
    return [file]


def print_summary(console: Console, folder: StudyFolder, report: Report | None) -> None:
    """Print the table of confirmed configurations; nothing where the stage report was left out."""
    from study.report.tables.summary import HEAD, markdown, notes, shown

    if report is None:
        return
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
    for note in notes(report.table):
        log.info(note)


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
