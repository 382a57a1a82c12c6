"""Replays curves many times under each rule: what it would have found, at what cost, with intervals."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from study.journal.curves import Floats
from study.simulation.competitors import Competitor, Draw
from study.simulation.curve_set import CurveSet
from study.simulation.replay import replay

NEAR = 0.1
"""Distance from the best, in points, within which a rule is said to have found it."""


@dataclass(frozen=True, slots=True)
class ReplayPlan:
    """Says what each replay may spend, and how it is drawn.

    >>> ReplayPlan(replays=100, workers=4, trainings=20.0).there
    0.6666666666666666

    Attributes:
        replays: of each rule, shared out over the searches.
        there: share of the recorded configurations that there are in a replay, drawn at random, so that it
            is not always the same one that is best.
        trials: configurations that are begun at most; None for all that there are.
        sampler: who asks for configurations, where points are recorded; None takes a random order.
        workers: trials at once.
        trainings: whole trainings' worth of epochs after which no trial is begun; None for no limit.
        seed: of orders and draws; each rule sees the same ones.
    """

    replays: int = 1000
    there: float = 2 / 3
    trials: int | None = None
    sampler: str | None = None
    workers: int = 1
    trainings: float | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """Says how a rule did over many replays.

    >>> found = outcome("ASHA", [np.array([[0.0, 0.4, 0.0], [0.5, 0.3, 1.0]])])  # regret, cost, killed
    >>> found.regret, found.cost, found.killed, found.near
    (0.25, 0.35, 0.5, 0.5)

    Attributes:
        regret: mean of the best final value there was less that of what was found, points.
        regret_low, regret_high: interval of 95 % for it, over resampled replays.
        worst: the regret that one replay in twenty exceeds.
        near: share of replays that found one within :data:`NEAR` points of the best.
        cost: epochs spent, as a share of training as many configurations to the end as may be begun.
        killed: share of replays that began the eventual best and did not train it to its end.
        killed_low, killed_high: its Wilson interval of 95 %.
    """

    rule: str
    searches: int
    replays: int
    regret: float
    regret_low: float
    regret_high: float
    worst: float
    near: float
    cost: float
    killed: float
    killed_low: float
    killed_high: float


def simulate(searches: Sequence[CurveSet], rules: Mapping[str, Competitor], how: ReplayPlan) -> list[Outcome]:
    """Replay every search under every rule.

    The intervals say how well the replays determine the mean for these curves, not how other curves differ.
    """
    return [
        outcome(name, [_runs(search, rule, how, len(searches)) for search in searches])
        for name, rule in rules.items()
    ]


def _runs(search: CurveSet, rule: Competitor, how: ReplayPlan, searches: int) -> Floats:
    """Return regret, cost and killed of each replay of one search, [replays, 3]."""
    random = np.random.default_rng([how.seed, zlib.crc32(search.name.encode())])
    count, length = max(2, round(how.there * len(search))), search.values.shape[1]
    budget = float("inf") if how.trainings is None else how.trainings * length
    rows = []
    for _ in range(-(-how.replays // searches)):
        there = random.permutation(len(search))[:count].tolist()
        draw = Draw(search, there, min(how.trials or count, count), random.spawn(1)[0], how.sampler)
        done = replay(search.values, rule(draw), how.workers, budget)
        best = there[int(np.argmax(search.final[there]))]
        regret = search.final[best] - search.final[done.found(search.values)]
        killed = 0 < done.epochs[best] < length
        rows.append((regret, done.epochs.sum() / (draw.trials * length), killed))
    return np.array(rows, dtype=np.float64)


def outcome(rule: str, runs: Sequence[Floats]) -> Outcome:
    """Put the replays of a rule on several searches together, see :class:`Outcome`."""
    rows = np.concatenate(runs)
    regret, cost, killed = rows.T
    means = _resampled(regret)
    low, high = wilson(float(killed.sum()), len(rows))
    return Outcome(
        rule=rule,
        searches=len(runs),
        replays=len(rows),
        regret=float(regret.mean()),
        regret_low=float(np.quantile(means, 0.025)),
        regret_high=float(np.quantile(means, 0.975)),
        worst=float(np.quantile(regret, 0.95)),
        near=float((regret <= NEAR + 1e-9).mean()),
        cost=float(cost.mean()),
        killed=float(killed.mean()),
        killed_low=low,
        killed_high=high,
    )


def _resampled(values: Floats, times: int = 1000) -> Floats:
    random = np.random.default_rng(0)
    means: Floats = np.array(
        [values[random.integers(len(values), size=len(values))].mean() for _ in range(times)]
    )
    return means


def wilson(count: float, n: int, z: float = 1.96) -> tuple[float, float]:
    """Return Wilson's interval (1927) for a share of ``count`` in ``n``.

    >>> [round(end, 3) for end in wilson(0, 100)]
    [0.0, 0.037]
    """
    share, spread = count / n, z * z / n
    half = z * np.sqrt(share * (1 - share) / n + spread / (4 * n))
    low, high = ((share + spread / 2 + sign * half) / (1 + spread) for sign in (-1, 1))
    return max(0.0, float(low)) if count else 0.0, float(high) if count < n else 1.0
