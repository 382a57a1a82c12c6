"""What a study's charts show, as plain numbers; drawn by ``figures_study`` and by the HTML page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from study.results.frames import RunFrames
from study.results.selection import _valued, fewer

MOST_CURVES = 60
MOST_POINTS = 1500
MOST_EPOCHS = 120
"""How much of a large study is shown; the best trial always is."""

ALPHA_BINS = 6


@dataclass(frozen=True, slots=True)
class Curve:
    """One trial against the epoch. ``value``: percent."""

    label: str
    group: str
    best: bool
    epochs: list[int]
    values: list[float]


@dataclass(frozen=True, slots=True)
class HeatMap:
    """Mean value (percent) and number of trials over scale set and range of alpha."""

    rows: list[str]
    columns: list[str]
    values: list[list[float | None]]
    counts: list[list[int]]


@dataclass(frozen=True, slots=True)
class Bar:
    """One trial on the clock. ``start``, ``end``: minutes since the first trial began; ``lane`` from 0."""

    label: str
    group: str
    lane: int
    start: float
    end: float
    status: str


def learning(runs: RunFrames, most: int = MOST_CURVES) -> list[Curve]:
    """Trials of the search against the epoch, stopped ones too."""
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


def heat(trials: pd.DataFrame) -> HeatMap | None:
    """Over scale set and alpha; None where nothing of the sort was searched."""
    decoupled = trials[trials["alpha"].notna() & (trials["scales"] != "")]
    if decoupled["scales"].nunique() < 2 and decoupled["alpha"].nunique() < 2:
        return None
    alpha = np.log10(decoupled["alpha"].astype(float).clip(lower=1e-6))
    edges = np.unique(np.round(np.linspace(alpha.min(), alpha.max(), ALPHA_BINS + 1), 6))
    place = np.clip(np.searchsorted(edges, alpha, side="right") - 1, 0, max(len(edges) - 2, 0))
    if len(edges) == 1:
        columns = [f"{10 ** edges[0]:.2g}"]
    else:
        columns = [f"{10**a:.2g}–{10**b:.2g}" for a, b in pairwise(edges)]
    rows = sorted(decoupled["scales"].unique(), key=lambda text: [int(part) for part in text.split(",")])
    groups = decoupled.groupby(["scales", place])["value"]
    means, counts = groups.mean().to_dict(), groups.size().to_dict()
    return HeatMap(
        [f"{{{row}}}" for row in rows],
        columns,
        [[means.get((row, column)) for column in range(len(columns))] for row in rows],
        [[counts.get((row, column), 0) for column in range(len(columns))] for row in rows],
    )


def front(trials: pd.DataFrame) -> pd.DataFrame:
    """Trials that no other beats in both ``value`` (more) and ``seconds`` (less), by rising time."""
    ordered = trials.sort_values(["seconds", "value"], ascending=[True, False])
    ahead = ordered["value"] > ordered["value"].cummax().shift(fill_value=-np.inf)
    return ordered[ahead]


def timeline(runs: RunFrames, most: int = MOST_POINTS) -> list[Bar]:
    """When each trial ran; trials that ran at once stand in lanes, one a place of the cluster."""
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
    """Columns that differ between ``trials``, in the order in which parallel coordinates show them."""
    names = ["pair", "base", "scales", "alpha", "beta", "epochs_planned"]
    return [name for name in names if trials[name].nunique() > 1]


Chart = Mapping[str, Any]
"""``kind`` (xy, heat, parallel, bars, intervals), ``title``, ``caption``, and what ``charts.js`` draws."""
