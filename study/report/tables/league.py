"""Makes a league table of logit losses on one pair: losses down, plain, standardised and decoupled across.

``published_losses.csv`` holds the means that others have published, with their sources; these stand beside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import pandas as pd

from study.report.tables.cells import TableCell, make_cell, mark_best, with_gain
from study.report.tables.grids import TableGrid, TableRow, reading_notes
from study.report.tables.paper_tables import UNITS
from study.results.seed_groups import SeedGroup

FORMS = {
    "X": "plain",
    "X+LS": "+LS",
    "SD-X": "SD-",
    "SD-X+LS": "SD-, +LS",
    "SD-X+LSW": "SD-, +LSW",
}
"""Columns by the label of a method with base loss X; +LS: standardised logits, +LSW: by the whole image's."""

UNDECOUPLED = {"SD-X": "X", "SD-X+LS": "X+LS", "SD-X+LSW": "X+LS"}
"""Form that the gain of each form is measured over."""

PUBLISHED_ON = "cifar100"
UNTUNED = "at published or given settings, others here were tuned"


def league_grids(found: Sequence[SeedGroup], protocols: Sequence[str]) -> list[TableGrid]:
    """Return a league for each pair, data set and length on which two losses or more were confirmed."""
    leagues: dict[tuple[str, str, str, int], dict[tuple[str, str], list[SeedGroup]]] = {}
    for item in found:
        base, form = base_and_form(item)
        if form in FORMS:
            at = (item.teacher, item.student, item.data, item.epochs)
            leagues.setdefault(at, {}).setdefault((base, form), []).append(item)
    return [
        _league(at, cells, protocols, number=len(leagues) > 1)
        for at, cells in leagues.items()
        if len({base for base, _ in cells}) > 1
    ]


def base_and_form(item: SeedGroup) -> tuple[str, str]:
    """Return the base loss of a configuration, and its label with X in its place; empty where it has none."""
    base = str(item.runs["base"].iloc[0] or "") if "base" in item.runs else ""
    label = re.fullmatch(rf"(SD-)?{re.escape(base.upper())}(\+LSW?)?", item.method) if base else None
    return (base, f"{label[1] or ''}X{label[2] or ''}") if label else ("", "")


@cache
def published() -> pd.DataFrame:
    """Return the published means: teacher, student, method, top1, runs, source; CIFAR-100, 240 epochs."""
    with files("study.report").joinpath("published_losses.csv").open() as file:
        return pd.read_csv(file)


def file_word(text: str) -> str:
    """Return ``text`` as a part of a file's name: ``packed (20 classes)`` is ``packed-20-classes``."""
    return re.sub(r"[^A-Za-z0-9]+", "-", text).strip("-")


def _league(
    at: tuple[str, str, str, int],
    found: dict[tuple[str, str], list[SeedGroup]],
    protocols: Sequence[str],
    number: bool,
) -> TableGrid:
    teacher, student, data, epochs = at
    forms = [form for form in FORMS if any(of == form for _, of in found)]
    bases = list(dict.fromkeys(base for base, _ in found))
    beside = _beside(teacher, student) if data == PUBLISHED_ON else {}
    tuned = any(item.role == "best" for items in found.values() for item in items)
    rows = []
    for protocol in protocols:
        lines = []
        for base in bases:
            cells = {
                form: _cell(found.get((base, form), []), protocol, tuned, beside.get(_label(base, form)))
                for form in FORMS
            }
            lines.append([with_gain(cells[form], cells.get(UNDECOUPLED.get(form, ""))) for form in forms])
        marked = iter(mark_best(cell for line in lines for cell in line))
        suffix = "" if len(protocols) == 1 else f" ({protocol})"
        for base, line in zip(bases, lines, strict=True):
            of_row = tuple(next(marked) for _ in line)
            rows.append(TableRow(base.upper() + suffix, of_row, method=base.upper(), protocol=protocol))
    sources = sorted({source for _, source in beside.values()})
    return TableGrid(
        name=f"league_{teacher}-{student}_{file_word(data)}_{epochs}" if number else "league",
        title=f"League of losses, {teacher}-{student}: {data}, {epochs} epochs",
        corner="loss",
        columns=tuple(FORMS[form] for form in forms),
        units=(UNITS["top1"],) * len(forms),
        rows=tuple(rows),
        notes=(
            *reading_notes(protocols),
            "Gain: of decoupling, over the same loss and logits by itself, with a 95% bootstrap interval.",
            *(f"Published: {source}." for source in sources),
        ),
        intervals=True,
        beside="published",
    )


def _label(base: str, form: str) -> str:
    return form.replace("X", base.upper())


def _beside(teacher: str, student: str) -> dict[str, tuple[float, str]]:
    """Return what was published for a pair: (mean, source) by method."""
    table = published()
    rows = table[(table["teacher"] == teacher) & (table["student"] == student)]
    return {row["method"]: (float(row["top1"]), str(row["source"])) for row in rows.to_dict("records")}


def _cell(
    candidates: Sequence[SeedGroup], protocol: str, tuned: bool, beside: tuple[float, str] | None
) -> TableCell:
    """Return the cell of one loss in one form: what a search found, where one was made."""
    best = [item for item in candidates if item.role == "best"]
    value, data = (beside[0], PUBLISHED_ON) if beside else (None, None)
    cell = make_cell(best or candidates, "top1", protocol, value, data)
    if tuned and not best and cell.n:
        return TableCell(cell.values, cell.asked, cell.paper, (*cell.marks, UNTUNED), found=cell.found)
    return cell
