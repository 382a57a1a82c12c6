"""Makes the charts of a study as ``assets/charts.js`` draws them."""

from __future__ import annotations

from typing import Any

import pandas as pd

from study.report.figures import chart_data as charts
from study.report.figures.chart_data import MOST_CURVES, MOST_POINTS, Chart
from study.results import selection as selection_
from study.results.frames import RunFrames
from study.results.front import hypervolume_frame
from study.results.selection import fewer, groups_of

MOST_LINES = 400
MOST_GAINS = 40


def page_charts(runs: RunFrames, summary: pd.DataFrame) -> list[Chart]:
    """Return every chart that has something to show."""
    trials, groups = selection_.searched(runs), selection_.search_groups(runs)
    made = [
        gains(summary),
        learning(runs, groups),
        beta(trials, runs.metric, groups),
        *heats(trials, runs.metric),
        parallel(trials, runs.metric),
        pareto(trials, runs.metric, groups),
        hypervolume(runs),
        timeline(runs),
    ]
    return [chart for chart in made if chart is not None]


def unit(metric: str) -> str:
    """Return a metric as an axis label."""
    names = {"val": "held-out", "test": "test", "train": "train"}
    split, _, what = metric.partition("/")
    return f"{names.get(split, split)} {what.replace('top', 'top-')}, %"


def gains(summary: pd.DataFrame) -> Chart | None:
    """Return the gain of each SD-X over X with its interval."""
    rows = summary[summary["gain"].notna()].sort_values("gain", ascending=False)
    if rows.empty:
        return None
    lines = [
        {
            "label": f"{row['pair']} {row['method']} ({row['role']})"[:46],
            "points": row["gain"],
            "low": _number(row["gain_low"]),
            "high": _number(row["gain_high"]),
            "tip": f"{row['pair']} {row['method']}\ngain {row['gain']:+.2f} points"
            + ("" if pd.isna(row["gain_p"]) else f"\nWelch's t-test p = {row['gain_p']:.2g}"),
        }
        for row in rows.head(MOST_GAINS).to_dict("records")
    ]
    return {
        "kind": "intervals",
        "title": "Gain of scale decoupling",
        "label": "gain over the base loss, points of test top-1",
        "rows": lines,
        "caption": f"{len(lines)} of {len(rows)} configurations; line: 95% bootstrap interval over seeds.",
    }


def learning(runs: RunFrames, groups: list[str]) -> Chart | None:
    """Return accuracy of the search's trials against the epoch."""
    curves = charts.learning(runs)
    if not curves:
        return None
    series = [
        {
            "name": curve.label,
            "group": groups.index(curve.group),
            "thick": curve.best,
            "points": [list(point) for point in zip(curve.epochs, _rounded(curve.values), strict=True)],
        }
        for curve in curves
    ]
    total = int((runs.trials["stage"] == "search").sum())
    return {
        **_xy("Learning curves of the search", "epoch", unit(runs.metric), groups, series),
        "lines": True,
        "caption": f"{len(curves)} of {total} trials (at most {MOST_CURVES}); thick: the best.",
    }


def beta(trials: pd.DataFrame, metric: str, groups: list[str]) -> Chart | None:
    """Return accuracy of the search's trials against beta."""
    trials = charts.with_beta(trials)
    if trials["beta"].nunique() < 2:
        return None
    series, label = _dots(trials, "beta", groups), "beta, weight of the complementary term"
    chart = _xy("Accuracy against beta", label, unit(metric), groups, series)
    return {**chart, "caption": shown_of(trials)}


def heats(trials: pd.DataFrame, metric: str) -> list[Chart]:
    """Return mean accuracy over two knobs each: scales and alpha, and whatever else trials differ in."""
    return [
        {
            "kind": "heat",
            "title": f"{found.names[0]} and {found.names[1]}",
            "rows": found.rows,
            "columns": found.columns,
            "values": found.values,
            "counts": found.counts,
            "label": found.names[1],
            "caption": f"Mean {unit(metric)} of {sum(map(sum, found.counts))} finished trials, of the "
            "searches that chose both if any did; touch or hover for their number.",
        }
        for found in charts.heats(trials)
    ]


def parallel(trials: pd.DataFrame, metric: str) -> Chart | None:
    """Return what each trial was given and what came of it."""
    names = charts.axes_of(trials)
    if not names or len(trials) < 2:
        return None
    shown = fewer(trials, MOST_LINES)
    axes: list[dict[str, Any]] = []
    columns: list[Any] = []
    for name in names:
        if pd.api.types.is_numeric_dtype(shown[name]):
            axes.append({"label": name, "log": charts.is_log(shown[name])})
            columns.append([_number(value) for value in shown[name]])
        else:
            categories = groups_of([str(value) for value in shown[name]])
            axes.append({"label": name, "categories": [text or "none" for text in categories]})
            columns.append([float(categories.index(str(value))) for value in shown[name]])
    axes.append({"label": unit(metric), "log": False})
    columns.append(_rounded(shown["value"].tolist()))
    return {
        "kind": "parallel",
        "title": "Parallel coordinates",
        "axes": axes,
        "lines": [list(line) for line in zip(*columns, strict=True)],
        "caption": f"{shown_of(trials, MOST_LINES)} Blue: the most accurate. Drag along an axis to "
        "pick a range; click it to let go.",
    }


def pareto(trials: pd.DataFrame, metric: str, groups: list[str]) -> Chart | None:
    """Return accuracy against the time a trial took."""
    trials = trials[trials["seconds"] > 0]
    if len(trials) < 2:
        return None
    front = charts.front(trials)
    series, label = _dots(trials, "seconds", groups), "training time of the trial, s"
    chart = _xy("Pareto front", label, unit(metric), groups, series)
    best = [[_number(x), y] for x, y in zip(front["seconds"], front["value"], strict=True)]
    return {**chart, "front": best, "caption": f"{shown_of(trials)} Dashed: no trial is better in both."}


def hypervolume(runs: RunFrames) -> Chart | None:
    """Return how the volume that each search's trials dominate grew, trial by trial."""
    grown = hypervolume_frame(runs)
    if grown.empty:
        return None
    names = groups_of([str(name) for name in grown["search"]])
    series = [
        {
            "name": name,
            "group": names.index(str(name)),
            "points": [[row.trial, _number(row.hypervolume)] for row in part.itertuples()],
        }
        for name, part in grown.groupby("search", sort=False)
    ]
    chart = _xy("Hypervolume", "whole trials", "hypervolume", names, series)
    caption = "Volume that the trials so far dominate, within the worst that any trial of the search had."
    return {**chart, "lines": True, "caption": caption}


def timeline(runs: RunFrames) -> Chart | None:
    """Return when each trial ran."""
    bars = charts.timeline(runs)
    if not bars:
        return None
    groups = groups_of([bar.group for bar in bars])
    return {
        "kind": "bars",
        "title": "Timeline of trials",
        "lanes": 1 + max(bar.lane for bar in bars),
        "groups": groups,
        "bars": [
            {
                "lane": bar.lane,
                "start": round(bar.start, 3),
                "end": round(bar.end, 3),
                "group": groups.index(bar.group),
                "whole": bar.status == "done",
                "tip": f"{bar.label}\n{bar.start:.1f} to {bar.end:.1f} min",
            }
            for bar in bars
        ],
        "label": "minutes since the first trial began",
        "caption": "One row a place in which trials ran at once; pale: stopped early or failed.",
    }


def _dots(trials: pd.DataFrame, x: str, groups: list[str]) -> list[dict[str, Any]]:
    shown = fewer(trials, MOST_POINTS)
    best: Any = shown["value"].idxmax()
    series = []
    for group, part in shown.groupby("group"):
        points = [
            [
                _number(row[x]),
                round(row["value"], 3),
                f"{row['group']}, {row['trial_key']}\n{row['value']:.2f}%",
            ]
            for row in part.to_dict("records")
        ]
        series.append({"name": group, "group": groups.index(str(group)), "points": points})
    top: Any = shown.loc[best]
    name = f"best: {top['trial_key']}"
    dot = [_number(top[x]), round(float(top["value"]), 3), f"{name}\n{top['value']:.2f}%"]
    series.append({"name": name, "group": groups.index(top["group"]), "thick": True, "points": [dot]})
    return series


def _xy(title: str, x: str, y: str, groups: list[str], series: list[dict[str, Any]]) -> dict[str, Any]:
    axes = {"x": {"label": x, "log": False}, "y": {"label": y}}
    return {"kind": "xy", "title": title, **axes, "groups": groups, "series": series}


def shown_of(trials: pd.DataFrame, most: int = MOST_POINTS) -> str:
    """Return how many of the trials a chart shows."""
    return f"{min(len(trials), most)} of {len(trials)} finished trials."


def _number(value: Any) -> float | None:
    return None if pd.isna(value) else round(float(value), 6)


def _rounded(values: list[float]) -> list[float]:
    return [round(value, 3) for value in values]
