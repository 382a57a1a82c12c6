"""Writes grids, charts and pictures as one HTML page that needs no network, opened from disk."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

from study.report.figures.chart_data import Chart
from study.report.figures.style import COLOURS
from study.report.render.text import NOBODY, gain_text, legend, notes, paper_text
from study.report.tables.cells import TableCell
from study.report.tables.grids import TableGrid, TableRow

WORDS = 24
"""Characters above which a cell may be broken into lines."""


def asset(name: str) -> str:
    """Read a file of ``assets/``."""
    return files("study.report").joinpath("assets", name).read_text(encoding="utf-8")


def page(
    title: str,
    grids: Sequence[TableGrid],
    charts: Sequence[Chart] = (),
    summary: str = "",
    pictures: Sequence[tuple[str, Path]] = (),
) -> str:
    """Return the page with a study's grids and charts.

    Args:
        charts: drawn in this order, after the first grid.
        summary: a table of its own, from :func:`plain_table`.
        pictures: PNG files and what they show, put inside the page.
    """
    sections = [(grid.name, grid.title, grid_html(grid)) for grid in grids]
    if charts:
        drawn = "".join(_chart(number, chart) for number, chart in enumerate(charts))
        sections.insert(1, ("charts", "Charts", f'<div class="charts">{drawn}</div>'))
    if pictures:
        shown = "".join(_picture(text, path) for text, path in pictures)
        sections.append(
            ("networks", "Figures 3 to 6: what the networks do", f'<div class="charts">{shown}</div>')
        )
    if summary:
        sections.insert(0, ("summary", "Confirmed configurations", summary))
    links = "".join(f'<a href="#{name}">{escape(text.split(":")[0])}</a>' for name, text, _ in sections)
    body = "".join(
        f'<section id="{name}"><h2>{escape(text)}</h2>{html}</section>' for name, text, html in sections
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">'
        f"<title>{escape(title)}</title><style>{asset('report.css')}</style></head>"
        f"<body><h1>{escape(title)}</h1><nav>{links}</nav>{body}"
        f"<script>{asset('tables.js')}</script>{_drawing() if charts else ''}</body></html>\n"
    )


def _drawing() -> str:
    """Return what draws charts; a page without any is a hundredth of the size.

    The library is text until the page is on the screen: to compile it takes longer than all else.
    """
    library = f'<script type="text/plain" id="echarts">{asset("echarts/echarts.min.js")}</script>'
    return f"{_json('colours', COLOURS)}{library}<script>{asset('charts.js')}</script>"


def grid_html(grid: TableGrid) -> str:
    """Return a grid as a table whose columns can be sorted, with its notes."""
    heads = "".join(
        _sortable(name, unit)
        for name, unit in zip([grid.corner, *grid.columns], ["", *grid.units], strict=True)
    )
    top = "".join(_row(grid, row) for row in grid.rows if row.head)
    body = "".join(_row(grid, row) for row in grid.rows if not row.head)
    below = "".join(f"<li>{escape(note)}</li>" for note in [f"{legend(grid)} {NOBODY}", *notes(grid)])
    return (
        f'<div class="scroll"><table class="sortable"><thead><tr>{heads}</tr>{top}</thead>'
        f'<tbody>{body}</tbody></table></div><ul class="notes">{below}</ul>'
    )


def plain_table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Set text cells as a table whose columns can be sorted; ``76.81 ± 0.20`` sorts by its first number."""
    body = "".join(
        "<tr>" + "".join(f"<td{_wraps(text)}{_value(text)}>{escape(text)}</td>" for text in row) + "</tr>"
        for row in rows
    )
    heads = "".join(_sortable(name) for name in head)
    return (
        f'<div class="scroll"><table class="sortable"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _wraps(text: str) -> str:
    """Return the class of a cell of many words, which may take several lines."""
    return ' class="words"' if len(text) > WORDS else ""


def _value(text: str) -> str:
    """Return a sort key where ``text`` begins with a number; none for a dash."""
    first = text.split(" ")[0]
    try:
        return f' data-value="{float(first)}"'
    except ValueError:
        return ' data-value=""' if first == "—" else ""


def _sortable(name: str, unit: str = "") -> str:
    below = f"<small>{escape(unit)}</small>" if unit else ""
    return f'<th scope="col"><button type="button">{escape(name)}</button>{below}</th>'


def _row(grid: TableGrid, row: TableRow) -> str:
    cells = "".join(_cell(grid, cell) for cell in row.cells)
    return f'<tr><th scope="row">{escape(row.label)}</th>{cells}</tr>'


def _cell(grid: TableGrid, cell: TableCell) -> str:
    letters = f"<sup>{letters}</sup>" if (letters := grid.letters(cell)) else ""
    shown = gain_text(cell, grid.intervals)
    gain = f'<span class="gain" title="{escape(_certainty(cell))}">{shown}</span>' if cell.gain else ""
    paper = f"<small>{escape(paper_text(cell, grid.beside))}</small>" if cell.paper is not None else ""
    seeds = escape(", ".join(f"{value:.2f}" for value in cell.values))
    key = "" if cell.mean is None else f"{cell.mean:.6f}"
    best = ' class="best"' if cell.best else ""
    return (
        f'<td{best} data-value="{key}"><span class="ours" title="{seeds}">{escape(cell.ours)}</span>'
        f"{letters}{gain}{paper}</td>"
    )


def _certainty(cell: TableCell) -> str:
    """Return what the seeds say about a gain, in words."""
    if cell.gain is None or cell.gain.low is None or cell.gain.high is None:
        return "too few seeds for an interval"
    p = "" if cell.gain.p is None else f"; Welch's t-test p = {cell.gain.p:.2g}"
    return f"95% bootstrap interval {cell.gain.low:+.2f} to {cell.gain.high:+.2f}{p}"


def _chart(number: int, chart: Chart) -> str:
    title, caption = escape(str(chart["title"])), escape(str(chart.get("caption", "")))
    data = _json(f"chart{number}", chart)
    return (
        f'<figure data-chart="chart{number}" data-title="{title}"><h3>{title}</h3><div class="plot" '
        f'data-title="{title}"></div><figcaption>{caption}</figcaption>{data}</figure>'
    )


def _picture(text: str, path: Path) -> str:
    data = b64encode(path.read_bytes()).decode()
    source = f"data:image/png;base64,{data}"
    return (
        f'<figure><img alt="{escape(text)}" src="{source}"><figcaption>{escape(text)}</figcaption></figure>'
    )


def _json(name: str, value: Any) -> str:
    text = json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'
