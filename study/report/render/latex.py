r"""Renders grids as LaTeX: a table each, booktabs rules, nothing else beyond the base packages.

``\usepackage{booktabs}`` is all a document needs.
"""

from __future__ import annotations

from study.report.render.text import gain_text, legend, notes
from study.report.tables.cells import DASH, TableCell, rounded
from study.report.tables.grids import TableGrid

ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "±": r"$\pm$",
    "—": "---",
    "−": "$-$",
    "–": "--",
}


def escape(text: str) -> str:
    """Return plain text as LaTeX."""
    return "".join(ESCAPES.get(letter, letter) for letter in text)


def latex(grid: TableGrid) -> str:
    """Return the grid as a ``table*``; the paper's numbers stand in a smaller line below ours."""
    head = [row for row in grid.rows if row.head]
    body = [row for row in grid.rows if not row.head]
    lines = [_line([grid.corner, *grid.columns])]
    if len(set(grid.units)) > 1:
        lines.append(_line(["", *grid.units]))
    for row in head:
        lines += _row_lines(grid, row.label, row.cells)
    lines.append(r"\midrule")
    for row in body:
        lines += _row_lines(grid, row.label, row.cells)
    unit = grid.units[0] if len(set(grid.units)) == 1 else ""
    caption = f"{grid.title}{f' ({unit})' if unit else ''}. {legend(grid)}"
    below = r" \\ ".join(rf"\footnotesize {escape(note)}" for note in notes(grid))
    return "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table*}",
            r"\centering",
            rf"\caption{{{escape(caption)}}}",
            rf"\label{{tab:{grid.name}}}",
            rf"\begin{{tabular}}{{l{'r' * len(grid.columns)}}}",
            r"\toprule",
            *lines,
            r"\bottomrule",
            r"\end{tabular}",
            rf"\par\smallskip\begin{{minipage}}{{\textwidth}}\raggedright {below}\end{{minipage}}",
            r"\end{table*}",
            "",
        ]
    )


def _line(texts: list[str]) -> str:
    return " & ".join(escape(text) for text in texts) + r" \\"


def _row_lines(grid: TableGrid, label: str, cells: tuple[TableCell, ...]) -> list[str]:
    lines = [" & ".join([escape(label), *(_ours(grid, cell) for cell in cells)]) + r" \\"]
    if any(cell.paper is not None for cell in cells):
        lines.append(" & ".join(["", *(_paper(cell) for cell in cells)]) + r" \\")
    return lines


def _ours(grid: TableGrid, cell: TableCell) -> str:
    text = escape(cell.ours)
    if cell.best:
        text = rf"\textbf{{{text}}}"
    if letters := grid.letters(cell):
        text += rf"$^{{\mathrm{{{letters}}}}}$"
    if cell.gain:
        text += rf" {{\footnotesize ${gain_text(cell, grid.intervals)}$}}"
    return text


def _paper(cell: TableCell) -> str:
    if cell.paper is None:
        return ""
    beside = f" (${rounded(cell.difference, signed=True)}$)" if cell.difference is not None else ""
    return rf"{{\footnotesize {rounded(cell.paper)}{beside}}}"


assert DASH in ESCAPES
