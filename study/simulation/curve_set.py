"""Holds learning curves that are replayed: of a finished study, or of a CSV file."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from study.errors import UserError
from study.journal.curves import Floats
from study.spec.domains import Choice
from study.spec.rungs import RATE_KNOBS
from trainables.config.training import Training

CURVE, KNOB = "_by_epoch", "knob."
"""End of the name of a column with a curve, and beginning of one with the value of a searched knob."""


@dataclass(frozen=True, slots=True)
class CurveSet:
    """Holds the whole learning curves of the configurations of one search.

    >>> curves = [RecordedCurve("quickstart", [50.0, 60.0]), RecordedCurve("quickstart", [55.0, 58.0])]
    >>> searches(curves)[0].final
    array([60., 58.])

    Attributes:
        name: of the study and its search, or of the pair in a file.
        values: [configurations, epochs], percent; the search looked for the highest last value.
        training: length, schedule and what was searched of the rate, by which rungs are placed.
        points: what was searched, a mapping for each configuration; empty where that is not recorded.
    """

    name: str
    values: Floats
    training: Training
    points: Sequence[Mapping[str, Any]] = field(default=(), repr=False)

    @property
    def final(self) -> Floats:
        """Value of each configuration after its last epoch, percent."""
        return self.values[:, -1]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class RecordedCurve:
    """Holds one whole curve, the search it belongs to, and the schedule it was trained on.

    >>> curve = RecordedCurve("quickstart", [50.0, 60.0], point={"lr": 0.05})
    >>> curve.values[-1], curve.point
    (60.0, {'lr': 0.05})
    """

    search: str
    values: Sequence[float]
    milestones: tuple[int, ...] = ()
    point: Mapping[str, Any] = field(default_factory=dict)


def read_csv(path: Path) -> list[RecordedCurve]:
    """Read curves from a file with columns ``pair`` and ``*_by_epoch``; ``milestones``, ``knob.*`` if there.

    Raises:
        UserError: the file cannot be read or is no such file; names the line.
    """
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise UserError(f"{path}: {reason}; name a study, or a CSV file of curves") from None
    names = [name for name in rows[0] if name] if rows else []
    column = next((name for name in names if name.endswith(CURVE)), None)
    if column is None or "pair" not in names:
        raise UserError(f"{path}: needs a column pair and one whose name ends in {CURVE}")
    found = []
    for number, row in enumerate(rows, 2):
        try:
            values = [float(value) for value in (row[column] or "").split()]
            milestones = tuple(int(at) for at in (row.get("milestones") or "").split())
        except ValueError as error:
            raise UserError(f"{path} line {number}: {error}") from None
        if len(values) < 2 or not np.isfinite(values).all():
            raise UserError(f"{path} line {number}: {column} needs two finite values or more")
        point = {
            name.removeprefix(KNOB): _value(row[name])
            for name in names
            if name.startswith(KNOB) and row[name]
        }
        found.append(RecordedCurve(row["pair"] or "", values, milestones, point))
    return found


def write_csv(path: Path, curves: Iterable[RecordedCurve], metric: str) -> None:
    """Write what :func:`read_csv` reads; ``metric`` names the column of the curves."""
    kept = list(curves)
    knobs = list(dict.fromkeys(name for curve in kept for name in curve.point))
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        name = metric.replace("/", "_") + CURVE
        writer.writerow(["pair", "epochs", "milestones", *(KNOB + knob for knob in knobs), name])
        for curve in kept:
            settings = [curve.point.get(knob, "") for knob in knobs]
            drops, values = (" ".join(map(str, curve.milestones)), " ".join(f"{v:.6g}" for v in curve.values))
            writer.writerow([curve.search, len(curve.values), drops, *settings, values])


def searches(curves: Iterable[RecordedCurve]) -> list[CurveSet]:
    """Put the curves of a search that are as long and on the same schedule together, where there are two."""
    groups: dict[tuple[str, int, tuple[int, ...]], list[RecordedCurve]] = {}
    for curve in curves:
        groups.setdefault((curve.search, len(curve.values), curve.milestones), []).append(curve)
    return [
        CurveSet(
            name,
            np.array([curve.values for curve in group]),
            _training(epochs, drops, [curve.point for curve in group]),
            [c.point for c in group],
        )
        for (name, epochs, drops), group in groups.items()
        if len(group) > 1
    ]


def pooled(sets: Sequence[CurveSet], centred: bool = False) -> list[CurveSet]:
    """Put the searches of one length and schedule together, as a search that chooses the pair as well.

    Args:
        centred: take each curve by its distance from the mean curve of its search, on top of the mean of
            all, so that configurations differ as much as they do within a search, and there are many. The
            distance from a mean of n curves, of which one is the curve itself, is stretched by
            sqrt(n / (n - 1)), which keeps its variance.
    """
    kinds: dict[tuple[int, tuple[int, ...]], list[CurveSet]] = {}
    for item in sets:
        kinds.setdefault((item.training.epochs, item.training.milestones), []).append(item)
    found = []
    for (epochs, _), group in kinds.items():
        parts = [item.values for item in group]
        if centred:
            level = np.mean([part.mean(axis=0) for part in parts], axis=0)
            parts = [
                level + (part - part.mean(axis=0)) * np.sqrt(len(part) / (len(part) - 1)) for part in parts
            ]
        name = f"{len(group)} searches {'centred' if centred else 'as one'}, {epochs} epochs"
        points = [point for item in group for point in item.points]
        found.append(CurveSet(name, np.concatenate(parts), group[0].training, points))
    return found


def _training(epochs: int, milestones: tuple[int, ...], points: Sequence[Mapping[str, Any]]) -> Training:
    """Return the training of a search; what its points differ in of the rate and the like is a domain."""
    schedule: Any = "step" if milestones else "cosine"
    fixed = Training(epochs=epochs, milestones=milestones, schedule=schedule, precision="float32")
    found = {name: {point[name] for point in points if name in point} for name in RATE_KNOBS}
    domains: dict[str, Any] = {
        name: Choice(*sorted(values)) for name, values in found.items() if len(values) > 1
    }
    return dataclasses.replace(fixed, **domains)


def _value(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text
