"""Holds tables as grids of cells, ready to be rendered as text, LaTeX or HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from study.report.tables.cells import TableCell
from study.report.tables.paper_tables import TableColumn
from study.results.seed_groups import PROTOCOLS

SEARCHED = "searched"


@dataclass(frozen=True, slots=True)
class TableRow:
    """Holds one row of a grid: its label, and a cell for each column.

    >>> row = TableRow("SD-KD", (TableCell((76.5, 76.9), asked=3), TableCell()))
    >>> [cell.ours for cell in row.cells]
    ['76.70 ± 0.28 (2 of 3)', '—']

    Attributes:
        head: stands in the table's head and does not compete.
        method: what the row's cells have in common.
        protocol: when accuracy is read, see ``PROTOCOLS``.
    """

    label: str
    cells: tuple[TableCell, ...]
    method: str = ""
    protocol: str = "last"
    head: bool = False


@dataclass(frozen=True, slots=True)
class TableGrid:
    """Holds a table, ready to be rendered as text, LaTeX or HTML.

    >>> row = TableRow("SD-KD", (TableCell((76.5,), asked=1, marks=("half the epochs",)),))
    >>> grid = TableGrid("study", "A study", "", ("resnet32x4-resnet8x4",), ("top-1, %",), (row,))
    >>> grid.marks
    {'half the epochs': 'a'}

    Attributes:
        name: of its files.
        corner: above the row labels.
        columns: labels; ``units`` below them.
        pairs: teacher and student of each column, empty where columns are methods.
        notes: sentences under the table; the marks of cells come before them.
        intervals: gains are shown with their intervals.
        beside: what the numbers beside ours are called.
    """

    name: str
    title: str
    corner: str
    columns: tuple[str, ...]
    units: tuple[str, ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...] = ()
    pairs: tuple[TableColumn, ...] = field(default=())
    intervals: bool = False
    beside: str = "paper"

    @property
    def marks(self) -> dict[str, str]:
        """Letter of each sentence that marks a cell, in reading order."""
        sentences = dict.fromkeys(mark for row in self.rows for cell in row.cells for mark in cell.marks)
        return {sentence: _letter(number) for number, sentence in enumerate(sentences)}

    @property
    def ran(self) -> bool:
        """Whether any method's cell is filled by runs of ours."""
        return any(cell.n for row in self.rows if not row.head for cell in row.cells)

    def letters(self, cell: TableCell) -> str:
        """Return the marks of ``cell`` as letters."""
        return "".join(self.marks[mark] for mark in cell.marks)


def reading_notes(protocols: Sequence[str]) -> tuple[str, ...]:
    """Return a sentence for each protocol: when the accuracy of our runs is read.

    >>> reading_notes(["last"])
    ('Ours: accuracy on the test split after the last epoch (last).',)
    """
    return tuple(f"Ours: accuracy on the test split {PROTOCOLS[name]} ({name})." for name in protocols)


def _letter(number: int) -> str:
    """Return the letter of a number: a, b, ..., z, aa, ab, ..."""
    first, last = divmod(number, 26)
    return (_letter(first - 1) if first else "") + chr(ord("a") + last)
