"""Renders grids as CSV, wide and tidy, and as Markdown."""

from __future__ import annotations

import pandas as pd

from study.report.tables.cells import DASH, TableCell, rounded
from study.report.tables.grids import TableGrid

LEGEND = (
    "Each cell: ours, mean ± std over seeds (n), in bold the best; the gain over the base loss; "
    "below, the paper's value and ours less the paper's."
)
STUDY_LEGEND = "Each cell: mean ± std over seeds (n), in bold the best; the gain over the base loss."
LEAGUE_LEGEND = "Each cell: mean ± std over seeds (n), in bold the best; the gain of decoupling."
NOBODY = f"{DASH}: nobody ran it."


def legend(grid: TableGrid) -> str:
    """Return what a grid's cells hold, in a sentence; a league says in its notes what its gains are over."""
    return LEGEND if grid.pairs else LEAGUE_LEGEND if grid.intervals else STUDY_LEGEND


def notes(grid: TableGrid) -> list[str]:
    """Return what stands under a grid."""
    return [*(f"({letter}) {mark}" for mark, letter in grid.marks.items()), *grid.notes]


def frame_markdown(frame: pd.DataFrame) -> str:
    """Return a frame as a Markdown table, numbers to six digits, nothing for what is missing.

    >>> print(frame_markdown(pd.DataFrame({"pair": ["a-b"], "most": [2.5e7], "within": [None]})))
    | pair | most | within |
    | --- | --- | --- |
    | a-b | 2.5e+07 |  |
    <BLANKLINE>
    """
    rows = [[_plain(value) for value in row] for row in frame.itertuples(index=False)]
    lines = [list(frame.columns), ["---"] * len(frame.columns), *rows]
    return "".join(
        "| " + " | ".join(str(part).replace("|", "\\|") for part in line) + " |\n" for line in lines
    )


def _plain(value: object) -> str:
    if value is None or value != value:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def gain_text(cell: TableCell, interval: bool = False) -> str:
    """Write a gain: ``+1.98``, or ``+1.98 [+1.20, +2.71]``; empty where there is none."""
    if cell.gain is None:
        return ""
    points = rounded(cell.gain.points, signed=True)
    if not interval or cell.gain.low is None or cell.gain.high is None:
        return points
    return f"{points} [{rounded(cell.gain.low, signed=True)}, {rounded(cell.gain.high, signed=True)}]"


def paper_text(cell: TableCell, beside: str = "paper") -> str:
    """Write ``paper 76.65, difference +0.16``; empty where the paper has no such cell."""
    if cell.paper is None:
        return ""
    by = "" if cell.difference is None else f", difference {rounded(cell.difference, signed=True)}"
    return f"{beside} {rounded(cell.paper)}{by}"


def markdown(grid: TableGrid) -> str:
    """Return the grid as a Markdown table under a heading."""
    head = [grid.corner, *grid.columns]
    units = ["", *grid.units]
    lines = [
        [f"{name}<br>{unit}" if unit else name for name, unit in zip(head, units, strict=True)],
        ["---"] * len(head),
        *([row.label, *(_markdown_cell(grid, cell) for cell in row.cells)] for row in grid.rows),
    ]
    table = "\n".join("| " + " | ".join(part.replace("|", "\\|") for part in line) + " |" for line in lines)
    below = "\n".join(f"- {note}" for note in [f"{legend(grid)} {NOBODY}", *notes(grid)])
    return f"### {grid.title}\n\n{table}\n\n{below}\n"


def _markdown_cell(grid: TableGrid, cell: TableCell) -> str:
    ours = f"**{cell.ours}**" if cell.best else cell.ours
    marks = f"<sup>{letters}</sup>" if (letters := grid.letters(cell)) else ""
    gain = f" {gain_text(cell, grid.intervals)}" if cell.gain else ""
    paper = f"<br>{paper_text(cell, grid.beside)}" if cell.paper is not None else ""
    return f"{ours}{marks}{gain}{paper}"


def wide(grid: TableGrid) -> pd.DataFrame:
    """Make one row a method (or pair), numbers with two decimals; missing ones are empty."""
    rows = []
    for row in grid.rows:
        values: dict[str, str] = {grid.corner: row.label}
        for column, cell in zip(grid.columns, row.cells, strict=True):
            numbers = {
                "": cell.mean,
                " std": cell.std,
                " gain": cell.gain.points if cell.gain else None,
                " paper": cell.paper,
                " difference": cell.difference,
            }
            values |= {
                column + what: "" if value is None else rounded(value) for what, value in numbers.items()
            }
            values[f"{column} n"] = f"{cell.n} of {cell.asked}" if cell.n < cell.asked else str(cell.n or "")
        rows.append(values)
    frame = pd.DataFrame(rows)
    empty = [name for name in frame if name not in grid.columns and (frame[name] == "").all()]
    return frame.drop(columns=empty)


def tidy(grid: TableGrid) -> pd.DataFrame:
    """Make one row a cell, numbers as they are; percent, points or milliseconds."""
    rows = []
    for row in grid.rows:
        for number, (column, cell) in enumerate(zip(grid.columns, row.cells, strict=True)):
            gain, found = cell.gain, cell.found
            rows.append(
                {
                    "table": grid.name,
                    "row": row.label,
                    "column": column,
                    "unit": grid.units[number],
                    "protocol": row.protocol,
                    "teacher": grid.pairs[number].teacher if grid.pairs else found and found.teacher,
                    "student": grid.pairs[number].student if grid.pairs else found and found.student,
                    "method": row.method or (found and found.method),
                    "mean": cell.mean,
                    "std": cell.std,
                    "n": cell.n,
                    "asked": cell.asked,
                    "best": cell.best,
                    "paper": cell.paper,
                    "difference": cell.difference,
                    "gain": gain and gain.points,
                    "gain_p": gain and gain.p,
                    "gain_low": gain and gain.low,
                    "gain_high": gain and gain.high,
                    "paper_gain": cell.paper_gain,
                    "scales": found and found.scales,
                    "alpha": found and found.alpha,
                    "beta": found and found.beta,
                    "data": found and found.data,
                    "epochs": found and found.epochs,
                    "marks": "; ".join(cell.marks),
                }
            )
    frame = pd.DataFrame(rows)
    return frame.astype({"epochs": "Int64"}) if len(frame) else frame
