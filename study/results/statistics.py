"""What a few runs can say: mean, standard deviation, Welch's t-test and a bootstrap interval for a gain."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Gain:
    """Mean of SD-X less mean of X, in points.

    Attributes:
        p: of Welch's two-sided t-test; None where a side has fewer than two runs, or no spread at all.
        low, high: bootstrap interval of 95 % for the difference of means (percentile method, each side
            resampled by itself). With three seeds a side it is too narrow; None below two runs.
        n, base_n: runs of SD-X and of X.
    """

    points: float
    p: float | None
    low: float | None
    high: float | None
    n: int
    base_n: int


def mean(values: Sequence[float]) -> float | None:
    """Arithmetic mean; None of nothing."""
    return math.fsum(values) / len(values) if values else None


def std(values: Sequence[float]) -> float | None:
    """Standard deviation with ddof 1; None of fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def gain(values: Sequence[float], base: Sequence[float]) -> Gain | None:
    """How far ``values`` are above ``base``; None where a side has no run."""
    if not values or not base:
        return None
    points = math.fsum(values) / len(values) - math.fsum(base) / len(base)
    low, high = bootstrap(values, base) or (None, None)
    return Gain(points, welch(values, base), low, high, len(values), len(base))


def welch(a: Sequence[float], b: Sequence[float]) -> float | None:
    """p of Welch's two-sided t-test (Welch 1947), which does not take the variances for equal."""
    if len(a) < 2 or len(b) < 2:
        return None
    from scipy.special import stdtr

    parts = [float(np.var(side, ddof=1)) / len(side) for side in (a, b)]
    if sum(parts) == 0:
        return None
    t = (math.fsum(a) / len(a) - math.fsum(b) / len(b)) / math.sqrt(sum(parts))
    degrees = sum(parts) ** 2 / sum(
        part**2 / (len(side) - 1) for part, side in zip(parts, (a, b), strict=True)
    )
    return 2 * float(stdtr(degrees, -abs(t)))


def bootstrap(a: Sequence[float], b: Sequence[float], seed: int = 0) -> tuple[float, float] | None:
    """Percentile interval (Efron 1979) for mean(a) - mean(b); the same numbers give the same interval."""
    if len(a) < 2 or len(b) < 2:
        return None
    random = np.random.default_rng(seed)
    means = [
        np.asarray(side, dtype=np.float64)[random.integers(len(side), size=(RESAMPLES, len(side)))].mean(1)
        for side in (a, b)
    ]
    low, high = np.quantile(means[0] - means[1], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
