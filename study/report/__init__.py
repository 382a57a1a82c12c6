"""Writes what a reader gets of finished trials: tables, figures, and one page.

``write.py`` puts together what ``tables/`` (grids of cells), ``figures/`` and ``render/`` (Markdown, LaTeX,
HTML) make of the frames of ``study.results``; ``paper_results.csv`` has the paper's numbers.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.report.write import Report as Report
    from study.report.write import report_studies as report_studies
    from study.report.write import write_report as write_report
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
