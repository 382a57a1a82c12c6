"""Figures of studies with more methods than a legend has rows."""

from __future__ import annotations

import warnings
from itertools import pairwise

import pandas as pd

from study.report.figures.chart_data import HeatMap
from study.report.figures.study import heat, pareto


def trials(groups: int) -> pd.DataFrame:
    """Two trials of each of so many methods."""
    rows = [
        {
            "group": f"resnet20-resnet8 SD-{number:02}+LS",
            "seconds": 5.0 + number + again,
            "value": 50.0 + again,
        }
        for number in range(groups)
        for again in (0, 1)
    ]
    return pd.DataFrame(rows)


def test_a_legend_of_many_methods_stays_within_the_figure() -> None:
    made = trials(56)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = pareto(made, "val/top1", sorted(set(made["group"])))
        figure.draw_without_rendering()
    box = figure.axes[0].get_legend().get_window_extent()
    width, height = figure.get_size_inches() * figure.dpi
    assert min(box.x0, box.y0) >= 0
    assert box.x1 <= width
    assert box.y1 <= height
    assert figure.axes[0].get_window_extent().width > 3 * figure.dpi, "the axes keep their room"


def test_the_cells_of_a_tall_heat_map_have_room_for_their_texts() -> None:
    names = [f"base {number}" for number in range(14)]
    found = HeatMap(names, ["1", "2"], [[50.0, 60.0]] * 14, [[1, 2]] * 14, ("base", "beta"))
    figure = heat(found, "val/top1")
    figure.draw_without_rendering()
    texts = [text.get_window_extent() for text in figure.axes[0].texts[::2]]
    assert all(not one.overlaps(other) for one, other in pairwise(texts))
