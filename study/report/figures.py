"""Figures of trials and studies, drawn without a display. Colours: Okabe and Ito's, told apart by the colour-blind."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from study.journal import Record

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
MARKERS = "osD^vP*"


def new_figure(columns: int = 1, width: float = 5.0) -> tuple[Figure, list[Any]]:
    """An empty figure with axes side by side; no global state, so that threads may draw."""
    figure = Figure(figsize=(width * columns, 3.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, columns, squeeze=False)[0]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", alpha=0.3)
    return figure, list(axes)


def trial_curves(record: Record, path: Path) -> Path:
    """Loss and accuracies of one trial against the epoch."""
    figure, (left, right) = new_figure(2)
    epochs = [metrics["epoch"] for metrics in record.history]
    for axis, names, label in (
        (left, ["train/loss", "val/loss", "test/loss"], "loss"),
        (right, ["train/top1", "val/top1", "test/top1"], "top-1, %"),
    ):
        for number, name in enumerate(names):
            points = [(e, m[name]) for e, m in zip(epochs, record.history, strict=True) if name in m]
            if points:
                axis.plot(
                    *zip(*points, strict=True),
                    color=COLOURS[number],
                    marker=MARKERS[number],
                    ms=3,
                    label=name,
                )
        axis.set(xlabel="epoch", ylabel=label)
        axis.legend(frameon=False, fontsize=8)
    figure.suptitle(f"{record.stage} {record.pair} {record.method}  {record.key}", fontsize=9)
    figure.savefig(path, dpi=110)
    return path


def search_curves(records: Iterable[Record], metric: str, path: Path) -> Path | None:
    """Every trial of the search against the epoch, one colour a method; the best one drawn thick."""
    trials = [record for record in records if record.stage == "search" and metric in record.final]
    if not trials:
        return None
    whole = [r for r in trials if r.status == "done"] or trials
    best = max(whole, key=lambda record: record.final[metric])
    figure, (axis,) = new_figure(width=6.4)
    groups = sorted({f"{r.pair} {r.method}" for r in trials})
    for record in trials:
        group = groups.index(f"{record.pair} {record.method}")
        points = [(m["epoch"], m[metric]) for m in record.history if metric in m]
        axis.plot(
            *zip(*points, strict=True),
            color=COLOURS[group % len(COLOURS)],
            marker=MARKERS[group % len(MARKERS)],
            ms=5 if record is best else 3,
            lw=2.5 if record is best else 0.9,
            alpha=1.0 if record is best else 0.6,
        )
    for number, group in enumerate(groups):
        axis.plot([], [], color=COLOURS[number % 7], marker=MARKERS[number % 7], label=group)
    axis.set(xlabel="epoch", ylabel=f"{metric}, %", title=f"{len(trials)} trials; thick: the best")
    axis.legend(frameon=False, fontsize=8)
    figure.savefig(path, dpi=110)
    return path


def confirm_dots(rows: list[tuple[str, list[float]]], path: Path) -> Path | None:
    """Test top-1 of each seed of each confirmed configuration, with the mean as a bar."""
    if not rows:
        return None
    figure, (axis,) = new_figure(width=6.4)
    figure.set_figheight(1.2 + 0.5 * len(rows))
    for number, (_, values) in enumerate(rows):
        place = len(rows) - 1 - number
        colour = COLOURS[number % len(COLOURS)]
        axis.plot(values, [place] * len(values), MARKERS[number % 7], color=colour, alpha=0.7)
        axis.plot([sum(values) / len(values)] * 2, [place - 0.3, place + 0.3], color=colour, lw=2)
    axis.set_yticks(range(len(rows)), [label for label, _ in reversed(rows)])
    axis.grid(axis="x", alpha=0.3)
    axis.set(xlabel="test top-1, %", ylim=(-0.6, len(rows) - 0.4), title="each seed; bar: mean")
    figure.savefig(path, dpi=110)
    return path
