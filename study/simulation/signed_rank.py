"""Tests whether the beginning of one curve lies below that of another, for every length of it at once."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from study.journal.curves import Floats

EXACT, EXACT_UNTIED = 13, 50
"""Longest series of differences for which p is exact: in any case, and where no two are of one size."""


class SignedRankTests:
    """Answers Wilcoxon's test of beginnings of curves, each pair of curves worked out once.

    >>> curves = np.array([[50.0, 60.0, 65.0, 68.0], [40.0, 50.0, 55.0, 58.0]])
    >>> SignedRankTests(curves, threshold=0.1).below(row=1, best=0).tolist()
    [False, False, False, True]

    Attributes:
        curves: [curves, epochs].
        means: of each beginning, [curves, epochs].

    Args:
        threshold: of p, below which a beginning is said to lie below.
    """

    def __init__(self, curves: Floats, threshold: float) -> None:
        self.curves = curves
        self.means: Floats = np.cumsum(curves, axis=1) / np.arange(1, curves.shape[1] + 1)
        self._threshold = threshold
        self._known: dict[tuple[int, int], NDArray[np.bool_]] = {}

    def below(self, row: int, best: int) -> NDArray[np.bool_]:
        """Return, [epochs], whether curve ``row`` up to each epoch lies below curve ``best``."""
        found = self._known.get((row, best))
        if found is None:
            found = p_of_beginnings(self.curves[row] - self.curves[best]) < self._threshold
            self._known[row, best] = found
        return found


def p_of_beginnings(differences: Floats) -> Floats:
    """Return :func:`signed_rank_p` of the first 1, 2, ... of ``differences`` [n], in n^2 operations.

    The sum of the ranks above 0 is the number of pairs i <= j with d_i + d_j > 0, those that are 0 counted
    half (Tukey 1949), so that each further difference adds its own pairs.
    """
    count = len(differences)
    pairs = np.tril(np.sign(differences[:, None] + differences[None]) / 2 + 0.5)
    above = np.cumsum(pairs.sum(axis=1))
    sizes = np.abs(differences)
    same = np.tril(sizes[:, None] == sizes[None], -1).sum(axis=1).astype(np.float64)
    ties = np.cumsum(3 * same**2 + 3 * same)  # the sum of c^3 - c over groups of c that are of one size
    n = np.arange(1, count + 1, dtype=np.float64)
    variance = n * (n + 1) * (2 * n + 1) / 24 - ties / 48
    far = (n * (n + 1) / 4 - above) / np.sqrt(2 * np.maximum(variance, 1e-300))
    found = np.array([0.5 * math.erfc(value) for value in far])
    plain = (np.cumsum(same) == 0) & (np.cumsum(differences == 0) == 0)
    for length in range(1, min(count, EXACT_UNTIED) + 1):
        if plain[length - 1]:
            found[length - 1] = _untied(length)[round(above[length - 1])]
        elif length <= EXACT:
            found[length - 1] = signed_rank_p(differences[:length])
    return found


@functools.cache
def _untied(n: int) -> Floats:
    """Return the chance that the ranks above 0 of n differences sum to 0, 1, ... or less, by chance alone."""
    chances = np.ones(1)
    for rank in range(1, n + 1):
        chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
    return np.cumsum(chances)


def signed_rank_p(differences: Floats) -> float:
    """Return p of Wilcoxon's one-sided signed-rank test that the differences lie below 0; zeros are split.

    As ``scipy.stats.wilcoxon(..., alternative="less", zero_method="zsplit")``, which takes milliseconds a
    call: by the exact distribution of the ranks for few differences, by the normal one for many.

    >>> signed_rank_p(np.array([-1.0, -2.0, -3.0]))
    0.125
    """
    n, (_, place, count) = (
        len(differences),
        np.unique(np.abs(differences), return_inverse=True, return_counts=True),
    )
    ranks = (np.cumsum(count) - (count - 1) / 2)[place]
    zero = differences == 0
    above = float(ranks[differences > 0].sum() + ranks[zero].sum() / 2)
    plain = len(count) == n and not zero.any()
    if n <= EXACT or (n <= EXACT_UNTIED and plain):
        chances = np.ones(1)
        for rank in np.rint(2 * ranks[~zero]).astype(int):
            chances = (np.pad(chances, (0, rank)) + np.pad(chances, (rank, 0))) / 2
        return float(chances[: round(2 * above - ranks[zero].sum()) + 1].sum())
    variance = n * (n + 1) * (2 * n + 1) / 24 - float((count**3 - count).sum()) / 48
    return 0.5 * math.erfc((n * (n + 1) / 4 - above) / math.sqrt(2 * variance))
