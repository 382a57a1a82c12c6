"""Draws figures of trials without a display. Colours: Okabe and Ito's, which the colour-blind tell apart."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from study.journal.record import TrialRecord

COLOURS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000"]
MARKERS = "osD^vP*"
SEQUENTIAL = "cividis"
"""Colour map that keeps its order in grey."""

DPI = 110
ENDINGS = (".png", ".svg")
LEGEND_ROWS, LEGEND_WIDTH = 16, 1.9
"""Names in a column of a legend, and how wide a further column is, in inches."""


def new_figure(
    columns: int = 1, width: float = 5.0, rows: int = 1, height: float = 3.6
) -> tuple[Figure, list[Any]]:
    """Return an empty figure with axes side by side, row by row; no global state, so that threads may draw.

    Args:
        width, height: of each of the axes, inches.
    """
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    FigureCanvasAgg(figure)
    axes = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.grid(axis="y", alpha=0.3)
    return figure, axes


def style(number: int) -> dict[str, Any]:
    """Return colour and marker of the series of that number; markers tell them apart in grey."""
    return {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}


def legend(axis: Any) -> None:
    """Put a legend beside the axes, where it hides nothing; a figure grows by each further column of it."""
    columns = math.ceil(len(axis.get_legend_handles_labels()[1]) / LEGEND_ROWS) or 1
    axis.legend(frameon=False, fontsize=8, loc="upper left", bbox_to_anchor=(1.0, 1.0), ncols=columns)
    width, height = axis.figure.get_size_inches()
    axis.figure.set_size_inches(width + LEGEND_WIDTH * (columns - 1), height)


def save(figure: Figure, path: Path) -> list[Path]:
    """Write ``path`` as PNG and SVG; its own ending is left out."""
    path.parent.mkdir(parents=True, exist_ok=True)
    files = [path.with_suffix(ending) for ending in ENDINGS]
    figure.draw_without_rendering()
    figure.set_layout_engine("none")  # laid out once, not again for each file
    for file in files:
        figure.savefig(file, dpi=DPI, metadata={"Date": None} if file.suffix == ".svg" else None)
    return files


def trial_curves(record: TrialRecord, path: Path) -> Path:
    """Draw loss and accuracies of one trial against the epoch."""
    figure, (left, right) = new_figure(2)
    epochs = [metrics["epoch"] for metrics in record.history]
    for axis, names, label in (
        (left, ["train/loss", "val/loss", "test/loss"], "loss"),
        (right, ["train/top1", "val/top1", "test/top1"], "top-1, %"),
    ):
        for number, name in enumerate(names):
            points = [(e, m[name]) for e, m in zip(epochs, record.history, strict=True) if name in m]
            if points:
                axis.plot(*zip(*points, strict=True), **style(number), ms=3, label=name)
        axis.set(xlabel="epoch", ylabel=label)
        if axis.lines:
            axis.legend(frameon=False, fontsize=8)
    figure.suptitle(f"{record.stage} {record.pair} {record.method}  {record.key}", fontsize=9)
    figure.savefig(path, dpi=DPI)
    return path
