"""Computes what a study's charts show, as plain numbers; ``study.py`` here and the HTML page draw it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from study.results.frames import COLUMN_KNOBS, RunFrames, knob_columns
from study.results.selection import _valued, fewer

MOST_CURVES = 60
MOST_POINTS = 1500
MOST_EPOCHS = 120
"""Most curves, points of a chart and epochs of a curve that a report shows; the best trial always is."""

BINS = 6
MOST_HEATS = 4


@dataclass(frozen=True, slots=True)
class Curve:
    """Holds one trial's values against the epoch, ``values`` in percent."""

    label: str
    group: str
    best: bool
    epochs: list[int]
    values: list[float]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Holds mean value (percent) and number of trials over two knobs, ``names`` of the rows' and columns'.

    >>> scales, alpha = ["1,2", "1,2", "1,4"], [0.5, 0.5, 0.9]
    >>> trials = pd.DataFrame({"scales": scales, "alpha": alpha, "value": [70, 72, 71]})
    >>> found = heat(trials.assign(study="pairs", search="KD", searched="scales alpha"))
    >>> found.rows, found.values[0][0], found.counts[0][0]
    (['{1,2}', '{1,4}'], 71.0, 2)
    """

    rows: list[str]
    columns: list[str]
    values: list[list[float | None]]
    counts: list[list[int]]
    names: tuple[str, str] = ("scales", "alpha")


@dataclass(frozen=True, slots=True)
class Bar:
    """Holds one trial on the clock: minutes since the first trial began, ``lane`` from 0."""

    label: str
    group: str
    lane: int
    start: float
    end: float
    status: str


def learning(runs: RunFrames, most: int = MOST_CURVES) -> list[Curve]:
    """Return the search's trials against the epoch, stopped ones too."""
    trials = _valued(runs)
    trials = trials[trials["stage"] == "search"]
    whole = trials[trials["status"] == "done"]
    best = (whole if len(whole) else trials)["value"].idxmax() if len(trials) else None
    curves = []
    for number, trial in fewer(trials, most).iterrows():
        values = runs.curves.of(int(str(number)), runs.metric)
        epochs = np.flatnonzero(~np.isnan(values))
        if len(epochs) > MOST_EPOCHS:
            epochs = epochs[np.unique(np.linspace(0, len(epochs) - 1, MOST_EPOCHS).astype(int))]
        label = f"{trial['group']}, {trial['trial_key']}, {trial['status']}"
        shown = ((epochs + 1).tolist(), values[epochs].tolist())
        curves.append(Curve(label, str(trial["group"]), bool(number == best), *shown))
    return curves


def with_beta(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials that beta matters to; the whole image by itself has no complementary regions.

    >>> with_beta(pd.DataFrame({"scales": ["1", "1,2"], "beta": [1.0, 2.0]}))["scales"].tolist()
    ['1,2']
    """
    return trials[trials["beta"].notna() & (trials["scales"] != "1")]


USUAL = tuple(row.name for row in COLUMN_KNOBS)
"""Knobs that charts of every study are about."""


def heats(trials: pd.DataFrame) -> list[HeatMap]:
    """Return heat maps that together show each knob in which ``trials`` differ, scales over alpha first."""
    names = [name for name in axes_of(trials) if name not in ("pair", "epochs_planned")]
    first = ["scales", "alpha"] if {"scales", "alpha"} & set(names) else []
    left = [*first, *(name for name in names if name not in first)]
    if len(left) % 2:  # what has a chart of its own, as beta has, needs no second one
        left = [*left, left[0]] if left[-1] not in USUAL else left[:-1]
    pairs = [pair for pair in zip(left[::2], left[1::2], strict=True) if pair[0] != pair[1]][:MOST_HEATS]
    return [found for rows, columns in pairs if (found := heat(trials, rows, columns)) is not None]


def heat(trials: pd.DataFrame, rows: str = "scales", columns: str = "alpha") -> HeatMap | None:
    """Return the heat map over two knobs, numbers in ranges; None where no trial has both.

    Where searches chose both, it is of all of their trials and of no others: those lie in one row or column,
    and would be averaged with what such a search did there.
    """
    both = trials[trials[[rows, columns]].notna().all(axis=1) & (trials[[rows, columns]] != "").all(axis=1)]
    named = trials.groupby(["study", "search"])["searched"].transform(lambda each: " ".join(set(each)))
    searched = named[both.index].map(lambda names: {rows, columns} <= set(names.split()))
    both = both[searched] if searched.any() else both
    varied = min(both[rows].nunique(), both[columns].nunique())
    if both.empty or (varied < 2 and (rows, columns) != ("scales", "alpha")):
        return None
    (down, row_labels), (across, column_labels) = (_bins(both[name], name) for name in (rows, columns))
    groups = both.groupby([down, across])["value"]
    means, counts = groups.mean().to_dict(), groups.size().to_dict()
    places = [[(row, column) for column in range(len(column_labels))] for row in range(len(row_labels))]
    return HeatMap(
        row_labels,
        column_labels,
        [[means.get(place) for place in line] for line in places],
        [[counts.get(place, 0) for place in line] for line in places],
        (rows, columns),
    )


def _bins(values: pd.Series, name: str) -> tuple[Any, list[str]]:
    """Return the position of each value among rows or columns, and the labels of these."""
    if not pd.api.types.is_numeric_dtype(values):
        names = sorted(values.astype(str).unique(), key=lambda text: (len(text.split(",")), text))
        if name == "scales":
            names.sort(key=lambda text: [int(part) for part in text.split(",")])
        labels = [f"{{{text}}}" if name == "scales" else text for text in names]
        return np.array([names.index(str(value)) for value in values]), labels
    log = is_log(values)
    plain = values.astype(float)
    numbers = np.log10(plain) if log else plain
    edges = np.unique(np.round(np.linspace(numbers.min(), numbers.max(), BINS + 1), 6))
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, max(len(edges) - 2, 0))
    ends = [f"{10**edge if log else edge:.2g}" for edge in edges]
    return place, ends if len(ends) == 1 else [f"{low}–{high}" for low, high in pairwise(ends)]


def is_log(values: pd.Series) -> bool:
    """Tell whether numbers are shown by their logarithm: above 0, and spanning more than a factor of 8."""
    known = values.dropna()
    return bool(
        pd.api.types.is_numeric_dtype(values)
        and len(known)
        and (known > 0).all()
        and known.max() > 8 * known.min()
    )


def front(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials that none beats in both ``value`` (more) and ``seconds`` (less), by rising time."""
    ordered = trials.sort_values(["seconds", "value"], ascending=[True, False])
    ahead = ordered["value"] > ordered["value"].cummax().shift(fill_value=-np.inf)
    return ordered[ahead]


def timeline(runs: RunFrames, most: int = MOST_POINTS) -> list[Bar]:
    """Return when each trial ran; those that ran at once are in lanes of their own."""
    trials = runs.trials[runs.trials["ended"].notna()].sort_values("started").head(most)
    if trials.empty:
        return []
    begin = float(trials["started"].iloc[0])
    free: list[float] = []
    bars = []
    for trial in trials.to_dict("records"):
        start, end = float(trial["started"]), float(trial["ended"])
        lane = next((number for number, until in enumerate(free) if until <= start + 0.5), len(free))
        free[lane : lane + 1] = [end]
        label = f"{trial['stage']} {trial['pair']} {trial['method']}, {trial['trial_key']}, {trial['status']}"
        minutes = ((start - begin) / 60, (end - begin) / 60)
        bars.append(Bar(label, str(trial["stage"]), lane, *minutes, str(trial["status"])))
    return bars


def axes_of(trials: pd.DataFrame) -> list[str]:
    """Name the columns that differ between ``trials``, in the order of the parallel coordinates."""
    names = ["pair", *knob_columns(trials), "epochs_planned"]
    return [name for name in names if trials[name].nunique() > 1]


Chart = Mapping[str, Any]
"""``kind`` (xy, heat, parallel, bars, intervals), ``title``, ``caption``, and what ``charts.js`` draws."""
