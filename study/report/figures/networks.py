"""Draws the paper's figures 3 to 6, from the stored networks of a study."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.report.figures.network_outputs import (
    ExampleOutputs,
    NetworkExamples,
    NetworksUnavailable,
    exhibit,
    pick,
)
from study.report.figures.style import COLOURS, SEQUENTIAL, new_figure, save, style
from study.results.frames import RunFrames
from trainables.storage.run_store import RunStore

MOST_EMBEDDED = 400
MOST_CLASSES = 10
IMAGES_RIGHT = 8
IMAGES_OF_TEACHER = 3
RIGHT, WRONG = COLOURS[0], COLOURS[1]


CAPTIONS = {
    "figure3": "Figure 3: how far the students' correlations between classes are from the teacher's",
    "figure4": "Figure 4: t-SNE of the students' features",
    "figure5": "Figure 5: images that only the decoupled student has right",
    "figure6": "Figure 6: what the teacher sees in each region",
}
"""What the page says below each figure."""


def network_figures(runs: RunFrames, store: RunStore, folder: Path, say: Callable[[str], None]) -> list[Path]:
    """Draw what the stored networks allow; ``say`` takes a line where they allow nothing."""
    if isinstance(store.root, Path) and not store.root.exists():
        return []
    try:
        shown = exhibit(pick(runs, store), store)
    except NetworksUnavailable as error:
        say(f"figures 3 to 6 are left out: {error}")
        return []
    draw = {
        "figure3": correlation,
        "figure4": embedding,
        "figure5": only_decoupled_right,
        "figure6": teacher_regions,
    }
    made = {name: figure for name, make in draw.items() if (figure := make(shown)) is not None}
    return [path for name, figure in made.items() for path in save(figure, folder / name)]


def correlation_difference(student: ExampleOutputs, teacher: ExampleOutputs) -> NDArray[np.float64]:
    """Return [K, K]: absolute difference of both networks' correlations between two classes' logits."""
    with np.errstate(invalid="ignore"):
        matrices = [np.corrcoef(np.float64(output.logits), rowvar=False) for output in (student, teacher)]
    difference: NDArray[np.float64] = np.nan_to_num(np.abs(matrices[0] - matrices[1]))
    return difference


def correlation(shown: NetworkExamples) -> Any:
    """Draw figure 3: how far the students' correlations between classes are from the teacher's."""
    figure, axes = new_figure(2, width=4.4, height=4.0)
    students = _students(shown)
    matrices = [correlation_difference(outputs, shown.teacher) for _, outputs in students]
    top = max(float(matrix.max()) for matrix in matrices)
    image: Any = None
    for axis, (name, _), matrix in zip(axes, students, matrices, strict=True):
        image = axis.imshow(matrix, vmin=0, vmax=top, cmap=SEQUENTIAL)
        axis.set(xlabel="class", ylabel="class", title=f"{name}: mean {matrix.mean():.4f}")
        axis.grid(visible=False)
    figure.colorbar(image, ax=axes, label="|difference of correlation|, student and teacher")
    figure.suptitle(f"{shown.pick.pair}, {len(shown.labels)} test images", fontsize=9)
    return figure


def embedding(shown: NetworkExamples) -> Any:
    """Draw figure 4: t-SNE of the students' features, with the silhouette of the classes before embedding."""
    from sklearn.manifold import TSNE
    from sklearn.metrics import silhouette_score
    from threadpoolctl import threadpool_limits

    classes = np.unique(shown.labels)[:MOST_CLASSES]
    rows = np.flatnonzero(np.isin(shown.labels, classes))[:MOST_EMBEDDED]
    labels = shown.labels[rows]
    if len(rows) < 10 or len(np.unique(labels)) < 2:
        return None
    figure, axes = new_figure(2, width=4.6, height=4.2)
    for axis, (name, outputs) in zip(axes, _students(shown), strict=True):
        features = outputs.features[rows]
        with warnings.catch_warnings(), threadpool_limits(1):  # threads that wait for each other cost more
            warnings.simplefilter("ignore")
            places = TSNE(perplexity=min(30.0, len(rows) / 4), random_state=0, init="pca").fit_transform(
                features
            )
        for number, label in enumerate(classes):
            here = places[labels == label]
            drawn = {**style(number), "mfc": style(number)["color"] if number < len(COLOURS) else "none"}
            axis.plot(here[:, 0], here[:, 1], ls="", ms=4, label=shown.names[label], **drawn)
        score = silhouette_score(features, labels)
        axis.set(xlabel="t-SNE 1", ylabel="t-SNE 2", title=f"{name}: silhouette {score:.3f}")
        axis.set(xticks=[], yticks=[])
    axes[1].legend(frameon=False, fontsize=7, loc="center left", bbox_to_anchor=(1, 0.5))
    figure.suptitle(f"{shown.pick.pair}, features of {len(rows)} test images", fontsize=9)
    return figure


def only_decoupled_right(shown: NetworkExamples) -> Any | None:
    """Draw figure 5: images that SD-X gets right and X wrong, the surest of SD-X first."""
    rows = np.flatnonzero((shown.decoupled.classes == shown.labels) & (shown.plain.classes != shown.labels))
    if not len(rows):
        return None
    ordered = np.sort(shown.decoupled.logits[rows], axis=1)
    rows = rows[np.argsort(ordered[:, -2] - ordered[:, -1])]
    count = min(IMAGES_RIGHT, len(rows))
    columns = min(4, count)
    lines = -(-count // columns)
    figure, axes = new_figure(columns, width=2.0, rows=lines, height=2.4)
    for axis in axes:
        axis.axis("off")
    for axis, row in zip(axes, rows[:count], strict=False):
        axis.imshow(shown.images[row])
        wrong, right = (shown.names[output.classes[row]] for output in (shown.plain, shown.decoupled))
        axis.set_title(
            f"{shown.pick.decoupled_method}: {right}\n{shown.pick.plain_method}: {wrong}", fontsize=8
        )
    figure.suptitle(f"{len(rows)} of {len(shown.labels)} test images", fontsize=9)
    return figure


def teacher_regions(shown: NetworkExamples) -> Any:
    """Draw figure 6: the teacher's class in each region at each scale, where regions differ most."""
    classes = shown.teacher.regions.argmax(2)
    differing = (classes[:, 1:] != classes[:, :1]).sum(1) * (classes[:, 0] == shown.labels)
    rows = np.argsort(-differing, kind="stable")[:IMAGES_OF_TEACHER]
    figure, axes = new_figure(1 + len(shown.scales), width=2.4, rows=len(rows), height=2.6)
    for number, row in enumerate(rows):
        panels = axes[number * (1 + len(shown.scales)) : (number + 1) * (1 + len(shown.scales))]
        panels[0].imshow(shown.images[row])
        panels[0].set_title(f"label: {shown.names[shown.labels[row]]}", fontsize=8)
        start = 0
        for axis, scale in zip(panels[1:], shown.scales, strict=True):
            cells = classes[row, start : start + scale * scale].reshape(scale, scale)
            _regions(axis, shown, int(row), scale, cells)
            start += scale * scale
        for axis in panels:
            axis.set(xticks=[], yticks=[])
            axis.grid(visible=False)
    teacher = shown.pick.config.teacher
    name = teacher.name if teacher is not None else ""
    figure.suptitle(f"classes of teacher {name}; bold in a solid box: the label", fontsize=9)
    return figure


def _regions(axis: Any, shown: NetworkExamples, row: int, scale: int, cells: NDArray[np.int64]) -> None:
    height, width = shown.images.shape[1:3]
    axis.imshow(0.5 + 0.5 * shown.images[row])
    axis.set_title(f"scale {scale}", fontsize=8)
    for (line, column), found in np.ndenumerate(cells):
        right = found == shown.labels[row]
        axis.text(
            (column + 0.5) * width / scale - 0.5,
            (line + 0.5) * height / scale - 0.5,
            shown.names[found][: max(5, 16 // scale)],
            ha="center",
            va="center",
            fontsize=9 - scale,
            color=RIGHT if right else WRONG,
            weight="bold" if right else "normal",
            bbox={
                "facecolor": "w",
                "alpha": 0.85,
                "pad": 1,
                "edgecolor": RIGHT if right else "none",
            },
        )
    for number in range(1, scale):
        axis.axvline(number * width / scale - 0.5, color="k", lw=0.6)
        axis.axhline(number * height / scale - 0.5, color="k", lw=0.6)


def _students(shown: NetworkExamples) -> list[tuple[str, ExampleOutputs]]:
    chosen = shown.pick
    return [(chosen.plain_method, shown.plain), (chosen.decoupled_method, shown.decoupled)]
