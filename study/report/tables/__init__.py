"""Makes tables of confirmed configurations: the study's own, and the paper's with its numbers beside.

:class:`TableGrid` is a table of :class:`TableCell`, whatever it is rendered as. What a cell says is decided
in ``cells.py``, which cells a table has in ``study_table.py``, ``league.py`` and ``paper_grid.py``, there by
``paper_results.csv``.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from study.report.tables.cells import TableCell as TableCell
    from study.report.tables.grids import TableGrid as TableGrid
    from study.report.tables.paper_grid import paper_grids as paper_grids
    from study.report.tables.study_table import study_grid as study_grid
else:
    from trainables.lazy import hand_on

    __getattr__, __dir__, __all__ = hand_on(__name__)
