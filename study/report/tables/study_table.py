"""Fills the table of any study: pairs down, methods across."""

from __future__ import annotations

from collections.abc import Sequence

from study.report.tables.cells import TableCell, make_cell, mark_best, with_gain
from study.report.tables.grids import SEARCHED, TableGrid, TableRow, reading_notes
from study.report.tables.paper_tables import HEAD, UNITS
from study.results.seed_groups import SeedGroup, base_method, canonical, teachers_of


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
        notes=reading_notes(protocols),
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
