"""Places the rungs at which trials of a search are compared: at which epoch, by the mean of which."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from study.spec.domains import Choice, is_domain
from study.spec.search import ASHA, HyperBand, Median
from study.spec.training import closed
from trainables.config.training import Training

if TYPE_CHECKING:
    from study.spec.study import StudySpec


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


@dataclass(frozen=True, slots=True)
class Halving:
    """Holds what an :class:`ASHA` comes to for some training, nothing left open.

    Attributes:
        first: epoch of the first rung.
        reduction: 1 of so many trials goes on at each rung.
        window: epochs over whose mean trials are judged.
    """

    first: int
    reduction: int
    window: int


RATE_KNOBS = ("lr", "momentum", "batch_size")
"""Knobs that decide how far a step goes: what they do to accuracy turns round when the rate drops."""


def halving(stop: ASHA, training: Training) -> Halving:
    """Decide what ``stop`` leaves open, for a search over ``training``.

    >>> from study.spec.domains import LogFloat
    >>> halving(ASHA(), Training(epochs=240, milestones=(150, 180, 210)))
    Halving(first=60, reduction=6, window=10)
    >>> halving(ASHA(), Training(epochs=240, milestones=(150, 180, 210), lr=LogFloat(0.01, 0.2)))
    Halving(first=165, reduction=3, window=10)

    Args:
        training: as the study has it, with its domains.
    """
    fixed = closed(training)
    first, reduction = stop.grace, stop.reduction
    late = any(is_domain(getattr(training, name)) for name in RATE_KNOBS) and _settled(fixed)
    if first is None:
        first = late or max(1, fixed.epochs // 4)
        reduction = reduction or (3 if late else None)
    return Halving(first, reduction or 6, stop.window)


def _settled(training: Training) -> int | None:
    """Return the epoch by which rates that differ have come down; None where they never do."""
    last = training.epochs - 1
    if training.schedule != "step":
        return max(1, min(training.epochs * 3 // 4, last))
    drops = [drop for drop in training.milestones if drop < last]
    return (drops[0] + [*drops, training.epochs][1] + 1) // 2 if drops else None


def searched_training(spec: StudySpec) -> Training:
    """Return the training of a study, with what a pair or a method searches of the rate for itself."""
    own = [[pair.training] for pair in spec.pairs]
    own += [[variant.training for variant in method.variants()] for method in spec.methods]
    searched: dict[str, Any] = {}
    for name, part in product(RATE_KNOBS, own):
        values = [changes[name] for changes in part if name in changes]
        if any(map(is_domain, values)):
            searched[name] = next(filter(is_domain, values))
        elif len(set(map(str, values))) > 1:  # a function of a trial gives another value at another corner
            searched[name] = Choice(*values)
    return dataclasses.replace(spec.training, **searched) if searched else spec.training


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
    decided, fixed = halving(stop, training), closed(training)
    drops = fixed.milestones if fixed.schedule == "step" else ()
    rung, found = decided.first, []
    while rung < fixed.epochs:
        since = max([rung - decided.window, rung // 2, *(drop for drop in drops if drop < rung)])
        found.append(Rung(rung, since))
        rung *= decided.reduction
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
