"""Writes the report: CSVs, tables and figures of a study, or of several together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path

import pandas as pd

from study.errors import UserError
from study.journal.record import TrialRecord
from study.report.figures.page_charts import page_charts
from study.report.figures.study import study_figures
from study.report.render.html_page import page, plain_table
from study.report.render.latex import latex
from study.report.render.text import frame_markdown, markdown, tidy, wide
from study.report.tables.grids import TableGrid
from study.report.tables.league import league_grids
from study.report.tables.paper_grid import paper_grids
from study.report.tables.study_table import study_grid
from study.report.tables.summary import HEAD, notes, shown, summary
from study.report.tables.summary import markdown as summary_markdown
from study.results.conclusions import FOOTNOTE, conclusions
from study.results.csv_files import write_csvs
from study.results.frames import RunFrames, from_records, gather
from study.results.front import hypervolume_frame, limits_frame
from study.results.importance import importances
from study.results.loaded_study import LoadedStudy, SearchGoals
from study.results.rung_ranking import RungRanking, rung_rankings, rungs_frame, sentences
from study.results.seed_groups import SeedGroup, confirmed
from study.results.verdicts import verdicts
from study.spec.study import Confirm
from study.workspace.folder import StudyFolder
from trainables.storage.files import write_atomically
from trainables.storage.run_store import RunStore

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Report:
    """Holds what was written.

    Attributes:
        table: the summary.
        rungs: how the rungs of the searches ranked what finished, a sentence each.
        conclusions: what the seeds tell of each decoupled method beside its base, a sentence each.
    """

    table: pd.DataFrame
    files: list[Path]
    rungs: list[str] = field(default_factory=list)
    conclusions: list[str] = field(default_factory=list)


def write_report(
    folder: StudyFolder, records: dict[str, TrialRecord], asked: Confirm, goals: SearchGoals
) -> Report:
    """Write a study's report, its last stage: all it leaves behind to be read.

    Args:
        asked: what the stage confirm asked for.
        goals: what the searches went for.
    """
    files = write_csvs(folder, records)
    runs = from_records(folder.name, records.values(), asked, goals.objectives.metric, goals)
    report = write_tables(runs, folder.path, store=folder.store)
    return replace(report, files=files + report.files)


def report_studies(
    sources: Sequence[LoadedStudy],
    out: Path,
    protocols: Sequence[str] = ("last",),
    store: RunStore | None = None,
    say: Say = print,
) -> Report:
    """Write all of the paper's tables and those of the studies, as ``sdd-study report`` does.

    Args:
        sources: the studies, read from a results folder or from MLflow.
        store: of the networks behind figures 3 to 6; without it they are left out.
        say: takes a line about what is left out.

    Raises:
        UserError: no study has a finished trial; nothing has been written.
    """
    runs = gather(sources)
    check_finished(runs, [source.study for source in sources])
    files = [_write(out / "trials.csv", runs.trials.to_csv(index=False))]
    report = write_tables(runs, out, protocols, everything=True, store=store, say=say)
    return replace(report, files=files + report.files)


def check_finished(runs: RunFrames, studies: Sequence[str]) -> None:
    """Raise :class:`UserError` where there is nothing to report."""
    names = ", ".join(f"'{study}'" for study in studies)
    if runs.trials.empty:
        raise UserError(f"study {names} has no trials yet; nothing to report")
    if runs.counted.empty:
        counts = runs.trials["status"].value_counts()
        found = ", ".join(f"{number} {status}" for status, number in counts.items())
        raise UserError(f"study {names} has no finished trial ({found}); nothing to report")


def write_tables(
    runs: RunFrames,
    out: Path,
    protocols: Sequence[str] = ("last",),
    everything: bool = False,
    store: RunStore | None = None,
    say: Say = print,
) -> Report:
    """Write tables and figures of ``runs`` under ``out``.

    Args:
        everything: the paper's tables too of which nothing was run.
        store: of the networks behind figures 3 to 6; without it they are left out.
        say: takes a line about what is left out.
    """
    findings = _Findings.of(runs, protocols, everything)
    tables = out / "tables"
    files = [
        _write(tables / "summary.csv", findings.table.to_csv(index=False)),
        _write(tables / "summary.md", summary_markdown(findings.table)),
        _write(tables / "importances.csv", importances(runs).to_csv(index=False)),
    ]
    for grid in findings.grids:
        files += [_write(tables / f"{grid.name}{ending}", render(grid)) for ending, render in FORMATS.items()]
    for name, frame in (("rungs", rungs_frame(findings.rungs)), ("limits", limits_frame(runs))):
        if len(frame):
            files.append(_write(tables / f"{name}.csv", frame.to_csv(index=False)))
            files.append(_write(tables / f"{name}.md", frame_markdown(frame)))
    grown = hypervolume_frame(runs)
    if len(grown):
        files.append(_write(tables / "hypervolume.csv", grown.to_csv(index=False)))
    files += study_figures(runs, findings.found, out / "figures")
    pictures: list[tuple[str, Path]] = []
    if store is not None:
        from study.report.figures.networks import CAPTIONS, network_figures

        drawn = network_figures(runs, store, out / "figures", say)
        files += drawn
        pictures = [(CAPTIONS[path.stem], path) for path in drawn if path.suffix == ".png"]
    files.append(_write(out / "report.html", findings.page(pictures)))
    return Report(findings.table, files, sentences(findings.rungs), findings.conclusions)


def report_page(runs: RunFrames) -> str:
    """Return the page ``report.html`` of ``runs`` by itself: no other file, no figure, seconds sooner."""
    return _Findings.of(runs, ("last",)).page()


@dataclass(frozen=True, slots=True)
class _Findings:
    """Holds what tables and page show of the same runs, each worked out once."""

    runs: RunFrames
    found: list[SeedGroup]
    table: pd.DataFrame
    grids: list[TableGrid]
    rungs: list[RungRanking]
    conclusions: list[str]

    @classmethod
    def of(cls, runs: RunFrames, protocols: Sequence[str], everything: bool = False) -> _Findings:
        found = confirmed(runs)
        judged = verdicts(found)
        grids = _grids(found, protocols, everything)
        return cls(runs, found, summary(found, judged), grids, rung_rankings(runs), conclusions(judged))

    def page(self, pictures: Sequence[tuple[str, Path]] = ()) -> str:
        """Return ``report.html``."""
        summary_html = plain_table(HEAD, shown(self.table)) if len(self.table) else ""
        notes_ = [*notes(self.table), *sentences(self.rungs)]
        summary_html += "".join(f"<p>{escape(note)}</p>" for note in notes_)
        if self.conclusions:
            first = "".join(f"<p class='conclusion'>{escape(text)}</p>" for text in self.conclusions)
            summary_html = f"{first}<p class='footnote'>{escape(FOOTNOTE)}</p>{summary_html}"
        title = f"Report on {', '.join(dict.fromkeys(self.runs.trials['study']))}"
        charts = page_charts(self.runs, self.table)
        return page(title, self.grids, charts, summary_html, pictures)


def _grids(found: list[SeedGroup], protocols: Sequence[str], everything: bool = False) -> list[TableGrid]:
    papers = [grid for grid in paper_grids(found, protocols) if everything or grid.ran]
    return [study_grid(found, protocols), *league_grids(found, protocols), *papers]


FORMATS: dict[str, Callable[[TableGrid], str]] = {
    ".csv": lambda grid: str(wide(grid).to_csv(index=False)),
    ".tidy.csv": lambda grid: str(tidy(grid).to_csv(index=False)),
    ".md": markdown,
    ".tex": latex,
    ".html": lambda grid: page(grid.title, [grid]),
}
"""Functions that render a table, by the ending of their file."""


def _write(path: Path, text: str) -> Path:
    write_atomically(path, text.encode())
    return path
