"""Fills the cells of a table: our runs, the paper's value beside them, the gain over the base loss."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal

from study.report.tables.paper_tables import paper_epochs
from study.results.seed_groups import SeedGroup
from study.results.statistics import Gain, gain, mean, std

DASH = "—"


@dataclass(frozen=True, slots=True)
class TableCell:
    """Holds one cell of a table: our runs, and the paper's value.

    >>> cell = TableCell((76.5, 76.9, 77.0), asked=3, paper=76.65)
    >>> cell.ours, rounded(cell.difference, signed=True)
    ('76.80 ± 0.26 (3)', '+0.15')

    Attributes:
        values: one a seed; percent, or milliseconds.
        asked: seeds that were asked for.
        paper: the paper's value.
        marks: sentences about what is not as in the paper.
        gain: over the base loss of the same pair, points.
        paper_gain: the same in the paper's numbers.
        best: the best of its column.
        found: the configuration behind the values.
    """

    values: tuple[float, ...] = ()
    asked: int = 0
    paper: float | None = None
    marks: tuple[str, ...] = ()
    gain: Gain | None = None
    paper_gain: float | None = None
    best: bool = False
    found: SeedGroup | None = field(default=None, compare=False)

    @property
    def n(self) -> int:
        """Number of runs behind the mean."""
        return len(self.values)

    @property
    def mean(self) -> float | None:
        """Mean over seeds; None for a cell nobody ran."""
        return mean(self.values)

    @property
    def std(self) -> float | None:
        """Standard deviation with ddof 1; None below two runs."""
        return std(self.values)

    @property
    def difference(self) -> float | None:
        """Our mean less the paper's value, from unrounded numbers."""
        return None if self.mean is None or self.paper is None else self.mean - self.paper

    @property
    def ours(self) -> str:
        """Our value: ``76.81 ± 0.20 (3)``; ``76.81 (1 of 3)`` where seeds are missing; a dash for none."""
        return value_text(self.mean, self.std, self.n, self.asked)


def value_text(mean: float | None, std: float | None, n: int, asked: int) -> str:
    """Write mean, spread and number of runs: ``75.20 ± 0.18 (3)``, ``(2 of 3)`` where runs are missing."""
    if mean is None:
        return DASH
    spread = "" if std is None else f" ± {rounded(std)}"
    few = f" of {asked}" if n < asked else ""
    return f"{rounded(mean)}{spread} ({n}{few})"


def rounded(value: float | None, signed: bool = False) -> str:
    """Write two decimals, halves away from zero, as one rounds by hand; an em dash for None."""
    if value is None:
        return DASH
    exact = Decimal(repr(round(value, 9))).quantize(Decimal("0.01"), ROUND_HALF_UP)
    return f"{exact + 0:+}" if signed else f"{exact + 0}"


def make_cell(
    candidates: Sequence[SeedGroup],
    metric: str,
    protocol: str,
    paper: float | None = None,
    data: str | None = None,
) -> TableCell:
    """Make the cell of that one of ``candidates`` that fits best.

    Args:
        data: the paper's data set, if the cell is one of the paper's; runs on it, and those of as many
            epochs, are preferred to others, and what differs is marked.
    """
    filled = [(found, values) for found in candidates if (values := found.values(metric, protocol))]
    if not filled:
        return TableCell(paper=paper)
    found, values = max(filled, key=lambda item: _rank(item[0], data, len(item[1])))
    marks = _marks(found, data)
    if len(filled) > 1:
        marks.append(f"{len(filled)} configurations fit here; the summary has all of them")
    return TableCell(values, found.asked, paper, tuple(marks), found=found)


def _rank(found: SeedGroup, data: str | None, n: int) -> tuple[bool, int, bool, bool, int]:
    """Rank a configuration: higher is nearer to the paper; in a table of ours the first study's go first."""
    if data is None:
        return (True, found.epochs, True, found.role == "baseline", n)
    enough = min(found.epochs, paper_epochs(data))
    return (found.data == data, enough, not found.searched, found.role == "baseline", n)


def _marks(found: SeedGroup, data: str | None) -> list[str]:
    """Return sentences about what is not as in the paper, where there is one, and not as in our studies."""
    given = found.role == "given"
    marks = ["weights that were given, measured here and not trained"] if given else []
    if data is not None and found.data != data:
        marks.append(f"on {found.data}, the paper's on {data}")
    if data is not None and not given and found.epochs < paper_epochs(data):
        marks.append(f"{found.epochs} epochs, the paper's {paper_epochs(data)}")
    return marks


def with_gain(cell: TableCell, base: TableCell | None) -> TableCell:
    """Return ``cell`` with its gain over ``base``, where both were run on the same data for as long."""
    if base is None:
        return cell
    paper_gain = None if cell.paper is None or base.paper is None else cell.paper - base.paper
    ours, theirs = cell.found, base.found
    alike = (
        ours is not None and theirs is not None and (ours.data, ours.epochs) == (theirs.data, theirs.epochs)
    )
    return dataclasses.replace(
        cell, gain=gain(cell.values, base.values) if alike else None, paper_gain=paper_gain
    )


def mark_best(cells: Iterable[TableCell], lower: bool = False) -> list[TableCell]:
    """Return the cells with the best one marked: by the mean as it is shown, ties all.

    Only runs on the same data for as long are compared; of several kinds, those that fill the most cells.
    """
    cells = list(cells)
    kinds = Counter((cell.found.data, cell.found.epochs) for cell in cells if cell.found is not None)
    if not kinds:
        return cells
    kind = kinds.most_common(1)[0][0]
    rivals = [
        cell for cell in cells if cell.found is not None and (cell.found.data, cell.found.epochs) == kind
    ]
    means = [cell.mean for cell in rivals if cell.mean is not None]
    best = rounded(min(means) if lower else max(means))
    return [dataclasses.replace(cell, best=cell in rivals and rounded(cell.mean) == best) for cell in cells]
