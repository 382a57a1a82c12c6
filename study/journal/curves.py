"""Holds metrics of many trials, epoch by epoch, in one array: 10,000 trials of 240 epochs take 100 MB."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LearningCurves:
    """Holds metrics of trials after each of their epochs.

    >>> first, second = [{"val/top1": 40.0}, {"val/top1": 45.5}], [{"val/top1": 38.0}]
    >>> curves = LearningCurves.from_histories(["val/top1"], [first, second])
    >>> curves.last("val/top1").tolist(), curves.of(0, "val/top1").tolist()
    ([45.5, 38.0], [40.0, 45.5])

    Attributes:
        names: of the metrics, one a column.
        lengths: epochs of each trial, in order of the trials.
        values: [sum of lengths, metrics]; the epochs of a trial stand together, first to last; NaN where a
            metric was not measured.
    """

    names: tuple[str, ...]
    lengths: NDArray[np.int64]
    values: Floats

    @classmethod
    def from_histories(
        cls, names: Sequence[str], histories: Iterable[Sequence[Mapping[str, float]]]
    ) -> LearningCurves:
        """Make the curves of the metrics ``names`` from histories as the journal keeps them."""
        kept = list(histories)
        rows = [[metrics.get(name, np.nan) for name in names] for history in kept for metrics in history]
        values = np.array(rows, dtype=np.float64).reshape(-1, len(names))
        return cls(tuple(names), np.array([len(history) for history in kept], dtype=np.int64), values)

    @classmethod
    def concatenate(cls, parts: Sequence[LearningCurves]) -> LearningCurves:
        """Join curves, one part's trials after the other's; a metric that a part has not got is NaN there."""
        if len(parts) == 1:
            return parts[0]
        names = tuple(dict.fromkeys(name for part in parts for name in part.names))
        columns = [part.columns(names) for part in parts]
        return cls(names, np.concatenate([part.lengths for part in parts]), np.concatenate(columns))

    @property
    def ends(self) -> NDArray[np.int64]:
        """Row after the last epoch of each trial."""
        return np.cumsum(self.lengths)

    def column(self, name: str) -> Floats:
        """Return all values of one metric, [sum of lengths]; NaN where it is not known at all."""
        if name not in self.names:
            return np.full(len(self.values), np.nan)
        return self.values[:, self.names.index(name)]

    def columns(self, names: Sequence[str]) -> Floats:
        """Return several metrics, [sum of lengths, names]."""
        if not names:
            return np.empty((len(self.values), 0))
        return np.column_stack([self.column(name) for name in names])

    def of(self, trial: int, name: str) -> Floats:
        """Return one metric of one trial, from its first epoch to its last."""
        end = int(self.ends[trial])
        return self.column(name)[end - int(self.lengths[trial]) : end]

    def last(self, name: str) -> Floats:
        """Return the value after each trial's last epoch, [trials]; NaN for a trial that has none."""
        found = np.full(len(self.lengths), np.nan)
        some = self.lengths > 0
        found[some] = self.column(name)[self.ends[some] - 1]
        return found

    def highest(self, name: str) -> Floats:
        """Return the highest value of each trial, [trials]; NaN for a trial that has none."""
        found = np.full(len(self.lengths), np.nan)
        some = self.lengths > 0
        if some.any():
            starts = (self.ends - self.lengths)[some]
            found[some] = np.fmax.reduceat(self.column(name), starts)
        return found

    def at_highest(self, name: str, by: str) -> Floats:
        """Return each trial's value of ``name`` at the first epoch at which ``by`` is at its highest."""
        chosen = self.column(by)
        trial = np.repeat(np.arange(len(self.lengths)), self.lengths)
        rows = np.flatnonzero(chosen == self.highest(by)[trial])
        trials, first = np.unique(trial[rows], return_index=True)
        found = np.full(len(self.lengths), np.nan)
        found[trials] = self.column(name)[rows[first]]
        return found

    def total(self, name: str) -> Floats:
        """Return the sum over each trial's epochs; 0 where nothing was measured."""
        sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(self.column(name)))])
        found: Floats = sums[self.ends] - sums[self.ends - self.lengths]
        return found

    def mean(self, name: str) -> Floats:
        """Return the average over each trial's epochs at which it was measured; NaN where it never was."""
        counts = np.concatenate([[0], np.cumsum(~np.isnan(self.column(name)))])
        n = counts[self.ends] - counts[self.ends - self.lengths]
        found: Floats = np.where(n > 0, self.total(name) / np.maximum(n, 1), np.nan)
        return found
