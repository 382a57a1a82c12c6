"""Makes tables as grids of cells: the paper's, by number, and one for any study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from study.report.tables.cells import TableCell, make_cell, mark_best, with_gain
from study.report.tables.paper_tables import (
    HEAD,
    UNITS,
    TableColumn,
    TableLayout,
    TableLine,
    fidelity_notes,
    layouts,
)
from study.results.seed_groups import PROTOCOLS, SeedGroup, base_method, canonical, teachers_of

SEARCHED = "searched"
PAPER_PROTOCOL = (
    "The paper's values are, as usual in published code, the best test accuracy over the epochs of one run."
)


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


def paper_grids(found: Sequence[SeedGroup], protocols: Sequence[str]) -> list[TableGrid]:
    """Return the paper's tables, our values beside its own."""
    index: dict[tuple[str, str, str], list[SeedGroup]] = {}
    for item in found:
        for teacher in {item.teacher, ""}:
            index.setdefault((teacher, item.student, canonical(item.method)), []).append(item)
    return [_paper_grid(layout, index, protocols) for layout in layouts().values()]


Index = dict[tuple[str, str, str], list[SeedGroup]]
"""Configurations by teacher (or "" for any), student and method."""


def _paper_grid(layout: TableLayout, index: Index, protocols: Sequence[str]) -> TableGrid:
    rows = []
    for line in layout.lines:
        for protocol in protocols:
            label = line.label if len(protocols) == 1 else f"{line.label} ({protocol})"
            candidates = [_candidates(index, line, column) for column in layout.columns]
            kinds = [(label, [[item for item in each if not item.searched] for each in candidates])]
            searched = [_searched(index, line, column) for column in layout.columns]
            if any(searched) and _plain(line):
                kinds.append((f"{label}, {SEARCHED}", searched))
            for kind, of_columns in kinds:
                cells = tuple(
                    make_cell(each, column.metric, protocol, layout.values.get((line, column)), layout.data)
                    for each, column in zip(of_columns, layout.columns, strict=True)
                )
                rows.append(TableRow(kind, cells, line.method, protocol, line.method in HEAD))
    lower = [column.metric == "ms_per_batch" for column in layout.columns]
    several = len({column.metric for column in layout.columns}) > 1
    return TableGrid(
        name=f"table{layout.number}",
        title=layout.title,
        corner="method",
        columns=tuple(
            f"{column.pair} {UNITS[column.metric].split(',')[0]}" if several else column.pair
            for column in layout.columns
        ),
        units=tuple(UNITS[column.metric] for column in layout.columns),
        rows=_finished(rows, lower),
        notes=_notes(protocols, layout),
        pairs=layout.columns,
    )


def _plain(line: TableLine) -> bool:
    """Tell whether the row leaves the settings open, so that searched ones may stand beside it."""
    return line.method.startswith("SD-") and not (line.scales or line.beta or line.knowledge)


def _candidates(index: Index, line: TableLine, column: TableColumn) -> list[SeedGroup]:
    if line.method == "teacher":
        pair = (column.teacher, column.student)
        students = [item for key, items in index.items() if key[:2] == pair for item in items]
        return teachers_of(index.get(("", column.teacher, "teacher"), []), students)
    if line.method == "student":
        return index.get(("", column.student, "ce"), [])
    of_method = index.get((column.teacher, column.student, canonical(line.method)), [])
    return [item for item in of_method if line.fits(item)]


def _searched(index: Index, line: TableLine, column: TableColumn) -> list[SeedGroup]:
    of_method = index.get((column.teacher, column.student, canonical(line.method)), [])
    return [item for item in of_method if item.searched]


def study_grid(found: Sequence[SeedGroup], protocols: Sequence[str], metric: str = "top1") -> TableGrid:
    """Return any study's table: pairs down, methods across, the best of each pair marked."""
    students = [item for item in found if item.method not in ("teacher", "CE") and item.teacher]
    cells: dict[tuple[_Pair, str], list[SeedGroup]] = {}
    untuned = {_column(item) for item in students if item.tuning is None}
    for item in students:
        pair = item.teacher, item.student, item.data, item.epochs
        columns = [_tuned_column(item)] if item.tuning else []
        if not columns or (item.published and _column(item) in untuned):
            columns.append(_column(item))
        for column in columns:
            cells.setdefault((pair, column), []).append(item)
    pairs = dict.fromkeys(pair for pair, _ in cells)
    methods = sorted(dict.fromkeys(method for _, method in cells), key=_with_base)
    several_kinds = len({pair[2:] for pair in pairs}) > 1
    rows = []
    for pair in pairs:
        teacher, student, data, epochs = pair
        head = [
            teachers_of(
                [i for i in found if (i.method, i.student, i.data) == ("teacher", teacher, data)],
                [i for (of, _), items in cells.items() if of == pair for i in items],
            ),
            [i for i in found if (i.method, i.student, i.data, i.epochs) == ("CE", student, data, epochs)],
        ]
        label = f"{teacher}-{student}" + (f", {data}, {epochs} epochs" if several_kinds else "")
        for protocol in protocols:
            top = [make_cell(each, metric, protocol) for each in head]
            of_methods = [make_cell(cells.get((pair, name), []), metric, protocol) for name in methods]
            row = (*top, *mark_best(_gained(methods, of_methods)))
            suffix = "" if len(protocols) == 1 else f" ({protocol})"
            rows.append(TableRow(label + suffix, row, protocol=protocol))
    return TableGrid(
        name="study",
        title="Pairs and methods",
        corner="pair",
        columns=(*HEAD, *methods),
        units=(UNITS[metric],) * (2 + len(methods)),
        rows=tuple(rows),
        notes=_notes(protocols),
    )


_Pair = tuple[str, str, str, int]
"""Teacher, student, data set, epochs."""


def _with_base(method: str) -> tuple[str, bool, str]:
    """Sort each SD-X behind its X."""
    base = base_method(_bare(method))
    return (base or canonical(_bare(method)), base is not None, method)


def _bare(column: str) -> str:
    """Return the method in a column's label."""
    return column.split(",")[0].split(" {")[0]


def _tuned_column(item: SeedGroup) -> str:
    """Label the column of what searches chose, be it the paper's: the tuned stand beside the tuned."""
    return f"{item.method}, {SEARCHED}"


def _column(item: SeedGroup) -> str:
    """Label the column of what no search chose: the method, with settings that are not published."""
    if item.method.startswith("SD-") and not item.published:
        return f"{item.method} {item.settings}"
    return item.method


def _gained(methods: Sequence[str], cells: Sequence[TableCell]) -> list[TableCell]:
    """Return the cells of one pair with the gain of each SD-X over X."""
    bases = {canonical(method): cell for method, cell in zip(methods, cells, strict=True)}
    gained = []
    for method, cell in zip(methods, cells, strict=True):
        base = base_method(_bare(method)) or ""
        alike = f"{base}, {SEARCHED}"  # the tuned is compared with the tuned, where that is there
        found = bases.get(alike) if method.endswith(f", {SEARCHED}") else None
        gained.append(with_gain(cell, found or bases.get(base)))
    return gained


def _finished(rows: Sequence[TableRow], lower: Sequence[bool]) -> tuple[TableRow, ...]:
    """Return the rows with gains, and the best of each column marked."""
    bases = {
        (canonical(row.method), row.protocol): row for row in reversed(rows) if SEARCHED not in row.label
    }
    columns: list[list[TableCell]] = []
    for number, is_lower in enumerate(lower):
        column = []
        for row in rows:
            base = bases.get((base_method(row.method) or "", row.protocol))
            cell = row.cells[number]
            column.append(with_gain(cell, base.cells[number]) if base is not None else cell)
        rivals = iter(mark_best((c for c, row in zip(column, rows, strict=True) if not row.head), is_lower))
        columns.append([c if row.head else next(rivals) for c, row in zip(column, rows, strict=True)])
    return tuple(
        TableRow(row.label, cells, row.method, row.protocol, row.head)
        for row, cells in zip(rows, zip(*columns, strict=True), strict=True)
    )


def _notes(protocols: Sequence[str], layout: TableLayout | None = None) -> tuple[str, ...]:
    timed = layout is not None and all(column.metric == "ms_per_batch" for column in layout.columns)
    notes = (
        []
        if timed
        else [f"Ours: accuracy on the test split {PROTOCOLS[name]} ({name})." for name in protocols]
    )
    if layout is not None:
        notes += [] if timed else [PAPER_PROTOCOL]
        notes += [f"The paper, {remark}." for remark in layout.remarks]
        notes += fidelity_notes(layout)
    return tuple(notes)


def _letter(number: int) -> str:
    """Return the letter of a number: a, b, ..., z, aa, ab, ..."""
    first, last = divmod(number, 26)
    return (_letter(first - 1) if first else "") + chr(ord("a") + last)
