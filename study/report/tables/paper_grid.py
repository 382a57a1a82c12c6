"""Fills the paper's tables, our values beside its own."""

from __future__ import annotations

from collections.abc import Sequence

from study.report.tables.cells import TableCell, make_cell, mark_best, with_gain
from study.report.tables.grids import SEARCHED, TableGrid, TableRow, reading_notes
from study.report.tables.paper_tables import (
    HEAD,
    UNITS,
    TableColumn,
    TableLayout,
    TableLine,
    fidelity_notes,
    layouts,
)
from study.results.seed_groups import SeedGroup, base_method, canonical, teachers_of

PAPER_PROTOCOL = (
    "The paper's values are, as usual in published code, the best test accuracy over the epochs of one run."
)


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
        notes=_notes(layout, protocols),
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


def _notes(layout: TableLayout, protocols: Sequence[str]) -> tuple[str, ...]:
    timed = all(column.metric == "ms_per_batch" for column in layout.columns)
    remarks = [f"The paper, {remark}." for remark in layout.remarks]
    read = () if timed else (*reading_notes(protocols), PAPER_PROTOCOL)
    return (*read, *remarks, *fidelity_notes(layout))
