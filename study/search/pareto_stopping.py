"""Stops trials early where there are several objectives: rungs are judged by non-dominated rank.

Multi-objective asynchronous successive halving (Schmucker et al. 2021, MO-ASHA): at a rung the trials that
came there are ranked in fronts, the first of which no trial dominates, the second none but those of the
first, and so on. 1 of ``reduction`` goes on. A small student stays on its front however far behind it is in
accuracy, so that a search for what a budget buys does not drop the cheap ones first.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from study.spec.rungs import Rung

Losses = tuple[float, ...]
"""One number an objective, each to be minimised."""


class ParetoRule:
    """Stops trials of one search that are not among the best fronts at a rung; the first trial there goes on.

    >>> rule = ParetoRule([Rung(epoch=1, since=0)], reduction=2)
    >>> rule.learn("accurate", [(-70.0, 2.0)])
    >>> rule.stops("cheap", 1, (-60.0, 1.0)), rule.stops("dominated", 1, (-50.0, 3.0))
    (False, True)

    Args:
        rungs: where trials are compared, and over which epochs' means of their losses.
        reduction: 1 of so many goes on.
    """

    def __init__(self, rungs: Sequence[Rung], reduction: int) -> None:
        self._reduction = reduction
        self._rungs = {rung.epoch: rung for rung in rungs}
        self._reached: dict[int, dict[str, Losses]] = {rung.epoch: {} for rung in rungs}
        self._curves: dict[str, list[Losses]] = {}

    def learn(self, key: str, losses: Sequence[Losses]) -> None:
        """Take in what trial ``key`` had after epochs 1, 2, ..., without judging it."""
        self._curves[key] = list(losses)
        for epoch, reached in self._reached.items():
            if epoch <= len(losses):
                reached[key] = self._compared(epoch, losses)

    def stops(self, key: str, epoch: int, losses: Losses) -> bool:
        """Tell whether the trial with these losses after ``epoch`` is to stop; an epoch is judged once."""
        curve = self._curves.setdefault(key, [])
        if epoch <= len(curve):
            return False
        curve.append(losses)
        reached = self._reached.get(epoch)
        if reached is None:
            return False
        others = list(reached.values())
        reached[key] = self._compared(epoch, curve)
        if not others:
            return False
        ranks = fronts([*others, reached[key]])
        better = int((ranks[:-1] < ranks[-1]).sum())
        return better >= max(1.0, len(ranks) / self._reduction)

    def _compared(self, epoch: int, losses: Sequence[Losses]) -> Losses:
        """Return what a trial is compared by at the rung at ``epoch``."""
        return tuple(self._rungs[epoch].value(values) for values in zip(*losses, strict=True))


def fronts(losses: Sequence[Losses]) -> NDArray[np.int64]:
    """Return the number of the front of each point, [n], 0 for what no other dominates.

    A point dominates another where it is nowhere worse and somewhere better.

    >>> fronts([(1, 5), (2, 2), (3, 3), (1, 5), (4, 6)]).tolist()
    [0, 0, 1, 0, 2]
    """
    points = np.array(losses, dtype=np.float64)
    worse = (points[:, None] >= points[None]).all(axis=2) & (points[:, None] > points[None]).any(axis=2)
    ranks = np.full(len(points), -1, dtype=np.int64)
    front = 0
    while (ranks < 0).any():
        left = ranks < 0
        free = left & ~(worse & left[None]).any(axis=1)
        ranks[free] = front
        front += 1
    return ranks


def hypervolume(losses: Sequence[Losses], reference: Losses) -> float:
    """Return the volume that ``losses`` dominate within ``reference``; every objective is minimised.

    By slices along the last objective (Knowles 2002), quick enough for fronts of tens of trials.

    >>> hypervolume([(1.0, 2.0), (2.0, 1.0), (2.5, 2.5)], (3.0, 3.0))
    3.0
    """
    inside = [point for point in losses if all(a < b for a, b in zip(point, reference, strict=True))]
    if not inside:
        return 0.0
    if len(reference) == 1:
        return reference[0] - min(point[0] for point in inside)
    inside = sorted(
        {point for point, rank in zip(inside, fronts(inside), strict=True) if rank == 0}, key=_last
    )
    ends = [*(point[-1] for point in inside[1:]), reference[-1]]
    return sum(
        (end - point[-1]) * hypervolume([other[:-1] for other in inside[: number + 1]], reference[:-1])
        for number, (point, end) in enumerate(zip(inside, ends, strict=True))
    )


def _last(point: Losses) -> float:
    return point[-1]


def hypervolumes(losses: Sequence[Losses]) -> list[float]:
    """Return the hypervolume after each of the trials, in their order, within the worst any of them had."""
    if not losses:
        return []
    reference = tuple(max(values) for values in zip(*losses, strict=True))
    return [hypervolume(losses[: number + 1], reference) for number in range(len(losses))]
