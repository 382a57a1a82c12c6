"""Draws the figures of a study, as PNG and SVG; the same numbers as the HTML page's charts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.collections import PolyCollection

from study.report.figures import chart_data as charts
from study.report.figures.chart_data import HeatMap
from study.report.figures.page_charts import MOST_LINES, shown_of, unit
from study.report.figures.style import COLOURS, SEQUENTIAL, legend, new_figure, save, style
from study.results import selection as selection_
from study.results.frames import RunFrames
from study.results.front import hypervolume_frame
from study.results.seed_groups import SeedGroup
from study.results.selection import fewer, groups_of

MOST_DOTS = 24
HALO = {"facecolor": "w", "edgecolor": "none", "alpha": 0.8, "pad": 0.6}


def study_figures(runs: RunFrames, found: Sequence[SeedGroup], folder: Path) -> list[Path]:
    """Draw every figure that has something to show; return the files."""
    trials, groups = selection_.searched(runs), selection_.search_groups(runs)
    draw: dict[str, Callable[[], Any]] = {
        "learning": lambda: learning(runs, groups),
        "confirm": lambda: confirm(found),
        "beta": lambda: beta(trials, runs.metric, groups),
        **_heat_maps(trials, runs.metric),
        "parallel": lambda: parallel(trials, runs.metric),
        "pareto": lambda: pareto(trials, runs.metric, groups),
        "hypervolume": lambda: hypervolume(runs),
        "timeline": lambda: timeline(runs),
    }
    made = {name: figure for name, make in draw.items() if (figure := make()) is not None}
    return [path for name, figure in made.items() for path in save(figure, folder / name)]


def learning(runs: RunFrames, groups: list[str]) -> Any | None:
    """Draw the search's trials against the epoch, one colour a pair and method; the best one thick."""
    curves = charts.learning(runs)
    if not curves:
        return None
    figure, (axis,) = new_figure(width=6.4)
    for curve in sorted(curves, key=lambda curve: curve.best):
        axis.plot(
            curve.epochs,
            curve.values,
            **style(groups.index(curve.group)),
            ms=5 if curve.best else 3,
            lw=2.5 if curve.best else 0.9,
            alpha=1.0 if curve.best else 0.6,
            markevery=max(1, len(curve.epochs) // 12),
        )
    _legend(axis, groups)
    total = int((runs.trials["stage"] == "search").sum())
    axis.set(
        xlabel="epoch", ylabel=unit(runs.metric), title=f"{len(curves)} of {total} trials; thick: the best"
    )
    return figure


def confirm(found: Sequence[SeedGroup]) -> Any | None:
    """Draw test top-1 of each seed of each confirmed configuration, with the mean as a bar."""
    rows = [(item, values) for item in found if (values := item.values("top1", "last"))]
    rows = [(item, values) for item, values in rows if item.method != "teacher"][:MOST_DOTS]
    if not rows:
        return None
    figure, (axis,) = new_figure(width=6.4, height=1.2 + 0.5 * len(rows))
    for number, (_, values) in enumerate(rows):
        place = len(rows) - 1 - number
        axis.plot(values, [place] * len(values), ls="", alpha=0.7, **style(number))
        axis.plot([np.mean(values)] * 2, [place - 0.3, place + 0.3], color=COLOURS[number % 7], lw=2)
    labels = [f"{item.pair}\n{item.method} {item.settings}" for item, _ in rows]
    axis.set_yticks(range(len(rows)), labels[::-1], fontsize=8)
    axis.grid(axis="x", alpha=0.3)
    axis.set(xlabel="test top-1, %", ylim=(-0.6, len(rows) - 0.4), title="each seed; bar: mean")
    return figure


def beta(trials: pd.DataFrame, metric: str, groups: list[str]) -> Any | None:
    """Draw accuracy of the search's trials against beta."""
    trials = charts.with_beta(trials)
    if trials["beta"].nunique() < 2:
        return None
    return _scatter(trials, "beta", "beta, weight of the complementary term", metric, groups)


def pareto(trials: pd.DataFrame, metric: str, groups: list[str]) -> Any | None:
    """Draw accuracy against training time, with the trials that none beats in both."""
    trials = trials[trials["seconds"] > 0]
    if len(trials) < 2:
        return None
    figure = _scatter(trials, "seconds", "training time of the trial, s", metric, groups)
    best = charts.front(trials)
    figure.axes[0].plot(best["seconds"], best["value"], "k--", lw=1, label="Pareto front")
    legend(figure.axes[0])
    return figure


def _scatter(trials: pd.DataFrame, x: str, label: str, metric: str, groups: list[str]) -> Any:
    figure, (axis,) = new_figure(width=6.4)
    shown = fewer(trials, charts.MOST_POINTS)
    for group, part in shown.groupby("group"):
        number = groups.index(str(group))
        axis.plot(part[x], part["value"], ls="", ms=5, alpha=0.8, label=group, **style(number))
    axis.set(xlabel=label, ylabel=unit(metric), title=shown_of(trials).rstrip("."))
    legend(axis)
    return figure


def _heat_maps(trials: pd.DataFrame, metric: str) -> dict[str, Callable[[], Any]]:
    """Name each heat map by its file: ``heat``, ``heat-lr-momentum``, ..."""
    found = charts.heats(trials)
    usual = ("scales", "alpha")
    names = ["heat" if each.names == usual else f"heat-{'-'.join(each.names)}" for each in found]
    return {name: partial(heat, each, metric) for name, each in zip(names, found, strict=True)}


def heat(found: HeatMap, metric: str) -> Any:
    """Draw mean accuracy over two knobs; the number of trials in brackets."""
    values = np.array(found.values, dtype=float)
    figure, (axis,) = new_figure(width=7.0, height=max(3.6, 0.45 * len(found.rows) + 1))
    image = axis.imshow(values, cmap=SEQUENTIAL, aspect="auto")
    middle = (np.nanmin(values) + np.nanmax(values)) / 2
    for row, column in np.argwhere(~np.isnan(values)):
        value = values[row, column]
        text = f"{value:.1f}\n({found.counts[row][column]})"
        axis.text(column, row, text, ha="center", va="center", color="k" if value > middle else "w")
    axis.set_xticks(range(len(found.columns)), found.columns)
    axis.set_yticks(range(len(found.rows)), found.rows)
    axis.grid(visible=False)
    axis.set(xlabel=found.names[1], ylabel=found.names[0], title="mean (trials)")
    figure.colorbar(image, label=unit(metric))
    return figure


def parallel(trials: pd.DataFrame, metric: str) -> Any | None:
    """Draw what each trial was given and what came of it, one line a trial."""
    names = charts.axes_of(trials)
    if not names or len(trials) < 2:
        return None
    shown = fewer(trials, MOST_LINES)
    figure, (axis,) = new_figure(width=1.9 * (len(names) + 1) + 1)
    places = []
    for number, name in enumerate([*names, "value"]):
        column, ticks = _axis(shown[name], log=charts.is_log(shown[name]))
        places.append(column)
        for where, label in ticks:
            axis.text(number + 0.02, where, label, va="center", fontsize=7, zorder=3, bbox=HALO)
        axis.axvline(number, color="k", lw=0.8)
    lines = np.column_stack(places)
    from matplotlib import colormaps

    for line in lines[np.argsort(lines[:, -1])]:
        axis.plot(line, color=colormaps[SEQUENTIAL](line[-1]), lw=0.8 + 1.6 * line[-1], alpha=0.8)
    axis.set_xticks(range(len(names) + 1), [*names, unit(metric)], fontsize=8)
    axis.set(yticks=[], xlim=(-0.2, len(names) + 0.5), title=shown_of(trials, MOST_LINES).rstrip("."))
    axis.grid(visible=False)
    axis.spines[:].set_visible(False)
    return figure


def _axis(values: pd.Series, log: bool) -> tuple[Any, list[tuple[float, str]]]:
    """Return values between 0 and 1, and ticks with their labels; categories are numbered."""
    if not pd.api.types.is_numeric_dtype(values):
        names = groups_of([str(value) for value in values])
        places = {name: (number + 0.5) / len(names) for number, name in enumerate(names)}
        return values.map(lambda value: places[str(value)]).to_numpy(), [(p, n) for n, p in places.items()]
    log = log and bool((values > 0).all())
    plain = values.to_numpy(dtype=float)
    numbers = np.log10(plain) if log else plain
    low, high = float(np.nanmin(numbers)), float(np.nanmax(numbers))
    ticks = [(place, low + place * (high - low)) for place in (0.0, 0.5, 1.0)]
    labels = [(place, f"{10**value if log else value:.3g}") for place, value in ticks]
    return (numbers - low) / ((high - low) or 1.0), labels


def hypervolume(runs: RunFrames) -> Any | None:
    """Draw how the volume that each search's trials dominate grew, trial by trial."""
    grown = hypervolume_frame(runs)
    if grown.empty:
        return None
    figure, (axis,) = new_figure(width=6.4)
    for number, (name, part) in enumerate(grown.groupby("search", sort=False)):
        axis.step(part["trial"], part["hypervolume"], where="post", label=name, **style(number), ms=3)
    axis.set(xlabel="whole trials, in the order in which they ended", ylabel="hypervolume")
    axis.set_title("volume that the trials so far dominate", fontsize=9, loc="left")
    legend(axis)
    return figure


def timeline(runs: RunFrames) -> Any | None:
    """Draw when each trial ran, those at once in rows below each other; hatched: stopped early or failed."""
    bars = charts.timeline(runs)
    if not bars:
        return None
    lanes = 1 + max(bar.lane for bar in bars)
    figure, (axis,) = new_figure(width=7.5, height=1.5 + min(0.3 * lanes, 10))
    groups = groups_of([bar.group for bar in bars])
    for kind in dict.fromkeys((bar.group, bar.status == "done") for bar in bars):
        alike = [bar for bar in bars if (bar.group, bar.status == "done") == kind]
        corners = [_corners(bar.start, bar.end, bar.lane + 1) for bar in alike]
        bars_alike = PolyCollection(  # one artist, not one a bar: ten times faster to draw
            corners,
            facecolors=COLOURS[groups.index(kind[0]) % 7],
            hatch="" if kind[1] else "////",
            edgecolors="w",
            linewidths=0.5,
        )
        axis.add_collection(bars_alike)
    axis.autoscale_view()
    for number, group in enumerate(groups):
        axis.barh([1], [0], color=COLOURS[number % 7], label=group)
    axis.invert_yaxis()
    axis.set(xlabel="minutes since the first trial began", ylabel="place", yticks=range(1, lanes + 1))
    axis.set_title("hatched: stopped early or failed", fontsize=9, loc="left")
    axis.legend(
        frameon=False, fontsize=8, ncols=min(len(groups), 5), loc="lower right", bbox_to_anchor=(1, 1)
    )
    return figure


def _corners(start: float, end: float, row: float) -> list[tuple[float, float]]:
    """Return a bar of a timeline, 0.8 rows high."""
    return [(start, row - 0.4), (end, row - 0.4), (end, row + 0.4), (start, row + 0.4)]


def _legend(axis: Any, groups: Sequence[str]) -> None:
    for number, group in enumerate(groups[:12]):
        axis.plot([], [], label=group, **style(number))
    legend(axis)
