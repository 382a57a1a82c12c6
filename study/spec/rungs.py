"""Places the rungs at which trials of a search are compared: at which epoch, by the mean of which."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from study.spec.search import ASHA, HyperBand, Median
from trainables.config.training import Training


@dataclass(frozen=True, slots=True)
class Rung:
    """Compares trials after ``epoch`` by the mean of their values after epochs since + 1 to ``epoch``.

    One epoch's accuracy before the first drop of the learning rate jitters by as much as methods differ; a
    mean does so less. It never reaches back over a drop, on whose two sides values are not alike.
    """

    epoch: int
    since: int

    def value(self, values: Sequence[float]) -> float:
        """Return what a trial is compared by; it needs ``epoch`` values.

        >>> Rung(epoch=4, since=2).value([10.0, 20.0, 30.0, 50.0])
        40.0
        """
        return math.fsum(values[self.since : self.epoch]) / (self.epoch - self.since)


def rungs(stop: ASHA, training: Training) -> list[Rung]:
    """Return the rungs of trials that train so, those before the last epoch.

    >>> training = Training(epochs=240, milestones=(150, 180, 210))
    >>> rungs(ASHA(), training)
    [Rung(epoch=60, since=50)]
    >>> rungs(ASHA(grace=4, reduction=6, window=30), training)
    [Rung(epoch=4, since=2), Rung(epoch=24, since=12), Rung(epoch=144, since=114)]
    >>> rungs(ASHA(grace=152), training)
    [Rung(epoch=152, since=150)]
    """
    epochs = training.epochs
    drops = training.milestones if training.schedule == "step" else ()
    rung, found = max(1, epochs // 4) if stop.grace is None else stop.grace, []
    while rung < epochs:
        since = max([rung - stop.window, rung // 2, *(drop for drop in drops if drop < rung)])
        found.append(Rung(rung, since))
        rung *= stop.reduction
    return found


def brackets(stop: HyperBand) -> list[ASHA]:
    """Return the rules that a HyperBand runs side by side, the one that begins earliest first."""
    starts = [stop.grace * stop.reduction**number for number in range(stop.brackets)]
    return [ASHA(grace=start, reduction=stop.reduction, window=stop.window) for start in starts]


def judged(stop: ASHA | HyperBand | Median | None, training: Training) -> list[Rung]:
    """Return where a search of such trials compares them; where it stops none, where ``ASHA()`` would.

    ``Median`` judges after every epoch: of those, each twice as late as the one before are taken.

    >>> training = Training(epochs=40, milestones=(20, 30))
    >>> [[rung.epoch for rung in judged(stop, training)] for stop in (None, HyperBand(), Median(grace=9))]
    [[10], [10, 30], [9, 18, 36]]
    """
    if isinstance(stop, HyperBand):
        found = {rung for each in brackets(stop) for rung in rungs(each, training)}
        return sorted(found, key=lambda rung: rung.epoch)
    if isinstance(stop, Median):
        return rungs(ASHA(grace=stop.grace, reduction=2, window=1), training)
    return rungs(stop or ASHA(), training)
