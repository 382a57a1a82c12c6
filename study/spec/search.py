"""Says how a study searches: what it optimises, what proposes trials, when one is stopped, when it ends."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import isfunction
from typing import Literal, get_args

from study.spec.sampler_factory import SamplerFactory
from trainables.config.open_values import guarded
from trainables.config.serialization import require
from trainables.errors import suggestion


@dataclass(frozen=True, slots=True, kw_only=True)
@guarded()
class Budget:
    """Limits what the search may spend; whichever comes first ends it, and the study says which it was.

    >>> Budget(trials=20, hours=2).trials
    20
    >>> Budget(trials=0)
    Traceback (most recent call last):
    trainables.config.serialization.ConfigError: trials: 0 is fewer than 1

    Attributes:
        trials: of each search (``pairs="each"``: of each pair's), finished ones of earlier launches included.
        hours: wall-clock time of the search stage, over all launches.
        device_hours: time of the search's trials, each times the devices it holds.
        target: a value of the (first) objective; a search ends when one of its whole trials reaches it.
        max_failures: trials that may fail, in the whole study, before it gives up; None never gives up.
    """

    trials: int = 40
    hours: float | None = None
    device_hours: float | None = None
    target: float | None = None
    max_failures: int | None = None

    def __post_init__(self) -> None:
        require(self.trials >= 1, f"trials: {self.trials} is fewer than 1")
        for name in ("hours", "device_hours"):
            value = getattr(self, name)
            require(value is None or 0 < value < math.inf, f"{name}: {value} is not above 0")
        require(
            self.max_failures is None or self.max_failures >= 0,
            f"max_failures: {self.max_failures} is below 0",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
@guarded()
class ASHA:
    """Stops trials by asynchronous successive halving (Li 2020): at each rung 1 of ``reduction`` goes on.

    The defaults are what lost least in replays of recorded curves, see docs/stopping.md. They hang on whether
    the learning rate is searched: until it drops, trials of a high rate look worse than they are.

    >>> ASHA(grace=60)
    ASHA(grace=60, reduction=None, window=10)

    Attributes:
        grace: epochs before the first rung; later rungs are at grace * reduction, grace * reduction^2, ...
            None is a quarter of a trial's epochs; where the rate, the momentum or the batch size is
            searched, half-way between the first two drops of a step schedule, or three quarters of the epochs
            of a cosine. So by default trials are judged once.
        reduction: None is 6, and 3 at a rung that is placed so late.
        window: epochs up to a rung over whose mean trials are judged; one epoch's value jitters by as much
            as methods differ. No more than the later half of those up to the rung, and none before a drop
            of the learning rate.
    """

    grace: int | None = None
    reduction: int | None = None
    window: int = 10

    def __post_init__(self) -> None:
        require(self.grace is None or self.grace >= 1, f"grace: {self.grace} is fewer than 1 epoch")
        require(self.reduction is None or self.reduction >= 2, f"reduction: {self.reduction} is below 2")
        require(self.window >= 1, f"window: {self.window} is fewer than 1 epoch")


@dataclass(frozen=True, slots=True, kw_only=True)
@guarded()
class HyperBand:
    """Stops trials by asynchronous HyperBand (Li 2020): several :class:`ASHA`, which begin ever later.

    The first of ``brackets`` begins to stop trials at ``grace`` epochs, the next at grace * reduction, and so
    on; each trial belongs to one of them, by its key, in the proportions of HyperBand (Li 2018).

    >>> HyperBand(grace=20)
    HyperBand(grace=20, reduction=3, brackets=3, window=10)

    Attributes:
        window: epochs over whose mean trials are judged, as :class:`ASHA` has it.
    """

    grace: int = 10
    reduction: int = 3
    brackets: int = 3
    window: int = 10

    def __post_init__(self) -> None:
        require(self.window >= 1, f"window: {self.window} is fewer than 1 epoch")
        require(self.grace >= 1, f"grace: {self.grace} is fewer than 1 epoch")
        require(self.reduction >= 2, f"reduction: {self.reduction} is below 2")
        require(self.brackets >= 1, f"brackets: {self.brackets} is fewer than 1")


@dataclass(frozen=True, slots=True, kw_only=True)
@guarded()
class Median:
    """Stops a trial whose best value is worse than the median of the others' averages at that epoch.

    >>> Median(grace=20)
    Median(grace=20, min_trials=3)

    Attributes:
        grace: epoch from which on trials are judged, and at which averages begin.
        min_trials: other trials that there must be to compare with.
    """

    grace: int = 30
    min_trials: int = 3

    def __post_init__(self) -> None:
        require(self.grace >= 1, f"grace: {self.grace} is fewer than 1 epoch")
        require(self.min_trials >= 2, f"min_trials: {self.min_trials} is below 2")


Cost = Literal["student/multiply_adds", "student/parameters"]
Minimized = Cost | Literal["val/loss"]
COSTS = get_args(Cost)
"""Objectives that are known from the student's network before it is trained."""


@dataclass(frozen=True, slots=True, kw_only=True)
@guarded()
class Search:
    """Says how hyper-parameters are chosen; the paper's configuration is always the first trial.

    >>> Search(minimize="student/parameters", pairs="search").objectives
    ('val/top1', 'student/parameters')

    Attributes:
        maximize: metric of the held-out part of train.
        minimize: further objectives: the held-out part's loss, costs of the student's network (multiply-adds
            of one image, parameters). The winners are then the Pareto front. ASHA compares trials by
            their fronts (MO-ASHA), so that small students stay; other rules have one objective.
        pairs: ``each`` gives every pair a search of its own, ``search`` makes the pair a dimension.
        sampler: tpe (multivariate, grouped, constant liar), random, grid (every domain finite), cmaes
            (numbers; categories are drawn at random), gp, nsga2 (several objectives), or a function of the
            space file that makes any Optuna sampler from a seed, see :mod:`study.spec.sampler_factory`.
        subject_to: limits on what ``minimize`` may name, such as ``{"student/parameters": 1e6}``. The sampler
            heeds them; a trial beyond one is never confirmed, and not even trained where a cost is known
            beforehand.
        stop: early stopping, or None.
        seed: of the sampler and of the trials.
    """

    maximize: Literal["val/top1", "val/top5"] = "val/top1"
    minimize: Minimized | tuple[Minimized, ...] | None = None
    pairs: Literal["each", "search"] = "each"
    sampler: Literal["tpe", "random", "grid", "cmaes", "gp", "nsga2"] | SamplerFactory = "tpe"
    subject_to: Mapping[Minimized, float] = field(default_factory=dict)
    stop: ASHA | HyperBand | Median | None = ASHA()
    seed: int = 0

    def __post_init__(self) -> None:
        if isfunction(self.sampler):
            object.__setattr__(self, "sampler", SamplerFactory(self.sampler))
        for name, limit in self.subject_to.items():
            known = (*COSTS, "val/loss")
            require(name in known, f"subject_to: '{name}' cannot be limited; {suggestion(str(name), known)}")
            require(0 < limit < math.inf, f"subject_to.{name}: {limit} is not above 0")
        if len(self.objectives) == 1:
            return
        require(len(set(self.objectives)) == len(self.objectives), "minimize: names one objective twice")
        require(
            self.stop is None or isinstance(self.stop, ASHA),
            "minimize: of several objectives ASHA alone judges, by fronts; set stop=ASHA() or stop=None",
        )
        require(
            self.pairs == "search" or not set(self.objectives) & set(COSTS),
            "minimize: a cost is the same for all trials of a pair; it needs pairs='search'",
        )
        require(self.sampler != "cmaes", "sampler: cmaes has one objective; take tpe, gp or nsga2")

    @property
    def objectives(self) -> tuple[str, ...]:
        """Names of the objectives: the one that goes up, then those that go down if there are any."""
        down = () if self.minimize is None else self.minimize
        return (self.maximize, *((down,) if isinstance(down, str) else down))
