"""Computes what a few runs can say: means, spreads, tests of a gain, the difference so many could tell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

RESAMPLES = 2000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Gain:
    """Holds the mean of SD-X less the mean of X, in points.

    >>> found = gain([76.1, 76.5, 76.3], base=[74.9, 75.2, 75.1])
    >>> f"{found.points:+.2f} points, {found.n} and {found.base_n} seeds"
    '+1.23 points, 3 and 3 seeds'

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
    """Return the arithmetic mean; None of nothing."""
    return math.fsum(values) / len(values) if values else None


def std(values: Sequence[float]) -> float | None:
    """Return the standard deviation with ddof 1; None of fewer than two."""
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def gain(values: Sequence[float], base: Sequence[float]) -> Gain | None:
    """Return how far ``values`` are above ``base``; None where a side has no run."""
    if not values or not base:
        return None
    points = math.fsum(values) / len(values) - math.fsum(base) / len(base)
    low, high = bootstrap(values, base) or (None, None)
    return Gain(points, welch(values, base), low, high, len(values), len(base))


def welch(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return p of Welch's two-sided t-test (Welch 1947), which does not take the variances for equal."""
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


def paired(a: Sequence[float], b: Sequence[float]) -> float | None:
    """Return p of the two-sided paired t-test (Student 1908); ``a`` and ``b`` stand seed by seed.

    None below two pairs, or where all differ by the same.
    """
    differences = np.subtract(a, b)
    if len(differences) < 2 or np.ptp(differences) == 0:
        return None
    from scipy.special import stdtr

    n = len(differences)
    t = float(differences.mean() / (differences.std(ddof=1) / math.sqrt(n)))
    return 2 * float(stdtr(n - 1, -abs(t)))


def pooled_std(groups: Iterable[Sequence[float]]) -> float | None:
    """Return the spread within groups, sqrt(sum((n - 1) s^2) / sum(n - 1)); None where none has two runs.

    >>> pooled_std([[1.0, 3.0], [10.0, 10.0], [5.0]])
    1.0
    """
    kept = [group for group in groups if len(group) > 1]
    if not kept:
        return None
    squares = [float(np.var(group, ddof=1)) * (len(group) - 1) for group in kept]
    return math.sqrt(math.fsum(squares) / sum(len(group) - 1 for group in kept))


def detectable(spread: float, n: int, base_n: int, power: float = 0.8, level: float = 0.05) -> float | None:
    """Return the difference of means that a two-sided t-test of such sides finds with probability ``power``.

    delta = nc * spread * sqrt(1/n + 1/base_n), where the noncentral t distribution of n + base_n - 2 degrees
    of freedom and noncentrality nc lies beyond the critical t with that probability (Cohen 1988). None
    where a side has fewer than two runs.

    >>> round(detectable(spread=0.2, n=3, base_n=3), 2), round(detectable(spread=0.2, n=10, base_n=10), 2)
    (0.61, 0.26)
    """
    if n < 2 or base_n < 2:
        return None
    from scipy.special import nctdtr, stdtrit

    degrees = n + base_n - 2
    critical = float(stdtrit(degrees, 1 - level / 2))
    low, high = 0.0, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        found = 1 - nctdtr(degrees, middle, critical) + nctdtr(degrees, middle, -critical)
        low, high = (middle, high) if found <= power else (low, middle)  # far out scipy gives NaN, for 1
    return high * spread * math.sqrt(1 / n + 1 / base_n)


def holm(ps: Sequence[float]) -> list[float]:
    """Return p values corrected for being m (Holm 1979): the least times m, the next times m - 1, ...

    A verdict at 5 % of the corrected ones is false somewhere with 5 % at most, however the tests depend.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(ps)), key=lambda place: ps[place])
    found, least = [0.0] * len(ps), 0.0
    for rank, place in enumerate(order):
        least = max(least, min(1.0, (len(ps) - rank) * ps[place]))
        found[place] = least
    return found


def bootstrap(a: Sequence[float], b: Sequence[float], seed: int = 0) -> tuple[float, float] | None:
    """Return the percentile interval (Efron 1979) for mean(a) - mean(b), the same for the same numbers."""
    if len(a) < 2 or len(b) < 2:
        return None
    random = np.random.default_rng(seed)
    means = [
        np.asarray(side, dtype=np.float64)[random.integers(len(side), size=(RESAMPLES, len(side)))].mean(1)
        for side in (a, b)
    ]
    low, high = np.quantile(means[0] - means[1], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)
