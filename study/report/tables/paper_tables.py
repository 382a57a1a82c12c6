"""Reads the paper's numbers, and the layout of its tables, from ``paper_results.csv``.

The file holds every number of the tables of Wei, Luo, Luo, "Scale Decoupled Distillation" (CVPR 2024, arXiv
2403.13512), A1 and A2 of its appendix, and as ``released-runs`` single runs noted in the published scripts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import pandas as pd

from study.results.seed_groups import SeedGroup, canonical, paper_scales
from study.spec import published as settings
from trainables.config.training import Training

TITLES = {
    "1": "CIFAR-100, teachers and students of different architectures",
    "2": "CIFAR-100, more teachers and students of different architectures",
    "3": "ImageNet, ResNet34 and ResNet18",
    "4": "ImageNet, ResNet50 and MobileNetV1",
    "5": "CUB-200",
    "6": "Consistent and complementary knowledge, CIFAR-100",
    "7": "Scale sets, CIFAR-100",
    "8": "Weight beta of the complementary term, CIFAR-100",
    "9": "Training time of a batch",
    "A1": "With feature distillation, CIFAR-100",
    "A2": "Scale decoupling of SP, CIFAR-100",
}
UNITS = {"top1": "top-1, %", "top5": "top-5, %", "ms_per_batch": "ms a batch"}
HEAD = ("teacher", "student")


@dataclass(frozen=True, slots=True)
class TableColumn:
    """Names the pair and the metric of a table's column.

    >>> TableColumn("resnet32x4", "resnet8x4", "top1").pair
    'resnet32x4-resnet8x4'
    """

    teacher: str
    student: str
    metric: str

    @property
    def pair(self) -> str:
        """Pair as ``teacher-student``."""
        return f"{self.teacher}-{self.student}"


@dataclass(frozen=True, slots=True)
class TableLine:
    """Names the method of a table's row, and the settings that the table gives; empty where it gives none.

    >>> TableLine("SD-KD", scales="1,2", beta="2").label
    'SD-KD {1,2} beta 2'
    """

    method: str
    scales: str = ""
    beta: str = ""
    knowledge: str = ""

    @property
    def label(self) -> str:
        """Label of the row: the method, and what the table varies."""
        parts = [
            self.method,
            f"{{{self.scales}}}" if self.scales else "",
            f"beta {self.beta}" if self.beta else "",
            self.knowledge if self.knowledge != "none" else "",
        ]
        return " ".join(filter(None, parts))

    def fits(self, found: SeedGroup) -> bool:
        """Tell whether ``found`` is what this row is about; what it leaves open has the paper's value."""
        if canonical(found.method) != canonical(self.method):
            return False
        if not found.method.startswith("SD-"):
            return True
        part = self.knowledge or "fusion"
        scales = self.scales or paper_scales(found)
        beta = float(self.beta or settings.BETA)
        return found.knowledge == part and found.scales == scales and (part != "fusion" or found.beta == beta)


@dataclass(frozen=True, slots=True)
class TableLayout:
    """Holds rows, columns and numbers of one of the paper's tables.

    >>> layouts()["3"].title
    'Table 3: ImageNet, ResNet34 and ResNet18'
    """

    number: str
    data: str
    columns: tuple[TableColumn, ...]
    lines: tuple[TableLine, ...]
    values: dict[tuple[TableLine, TableColumn], float]
    remarks: tuple[str, ...]

    @property
    def title(self) -> str:
        """Title of the table: its number in the paper, and what it is about."""
        return f"Table {self.number}: {TITLES[self.number]}"


@cache
def results() -> pd.DataFrame:
    """Return every number of the paper, one a row; text columns are empty where they do not apply."""
    with files("study.report").joinpath("paper_results.csv").open(encoding="utf-8") as file:
        return pd.read_csv(
            file, dtype=dict.fromkeys(("table", "scales", "beta", "knowledge", "note"), str)
        ).fillna({"scales": "", "beta": "", "knowledge": "", "note": ""})


@cache
def layouts() -> dict[str, TableLayout]:
    """Return the paper's tables by number, in its order."""
    tables = results().groupby("table", sort=False)
    return {str(number): _layout(str(number), part) for number, part in tables if number in TITLES}


def _layout(number: str, part: pd.DataFrame) -> TableLayout:
    rows: list[Any] = list(part.itertuples())
    values: dict[tuple[TableLine, TableColumn], float] = {}
    for row in rows:
        column = TableColumn(row.teacher, row.student, row.metric)
        values[TableLine(row.method, row.scales, row.beta, row.knowledge), column] = float(row.value)
    columns = tuple(dict.fromkeys(column for _, column in values))
    lines = tuple(dict.fromkeys(line for line, _ in values))
    remarks = tuple(dict.fromkeys(f"{row.student}: {row.note}" for row in rows if row.note))
    return TableLayout(number, str(part["dataset"].iloc[0]), columns, lines, values, remarks)


FIDELITY_NOTES: tuple[tuple[str, str, str], ...] = (
    (
        "",
        "SD-NKD",
        "The paper's SD-NKD is, as released, at temperature 4 and weight 8 over all classes, near ten times "
        "SD-KD; ours has NKD's own temperature 1 and gamma 1.5 and leaves the label's class out.",
    ),
    (
        "imagenet",
        "SD-KD",
        "KD, as published for ImageNet, has temperature 1 and weights 0.5 and 0.5; SD-KD has 4, 0.1 and 0.9. "
        "The gain over KD holds both differences, in the paper and here.",
    ),
    (
        "cub200",
        "SD-KD",
        "The paper's runs pool the 14x14 and 7x7 maps of MobileNetV2, ShuffleV1 and ResNet50 to overlapping "
        "4x4 cells first, ours pool each scale from the map; pooling='released' repeats theirs.",
    ),
)
"""Differences of the paper's runs from ours: data set (empty for all), a row of the table, the sentence
under it. The whole list is docs/fidelity.md."""


def fidelity_notes(layout: TableLayout) -> list[str]:
    """Name what the paper's runs in this table did otherwise than ours."""
    rows = {line.method for line in layout.lines}
    return [text for data, method, text in FIDELITY_NOTES if data in ("", layout.data) and method in rows]


def paper_epochs(data: str) -> int:
    """Return the epochs of the paper's runs on a data set."""
    return settings.TRAINING.get(data, Training()).epochs
