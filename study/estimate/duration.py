"""Puts together how long a study takes: images of each stage, seconds an image, trials at once."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from study.estimate.devices import CORE, Fleet, known_gpu, rate
from study.estimate.probe import StepTimes
from study.estimate.stopping_share import expected_share
from study.plan.expected import ExpectedTrials
from study.plan.plan import Plan
from study.spec.rungs import searched_training
from study.spec.training import closed
from trainables.data.partition import split
from trainables.data.raw import CropFlipViews

HOUR = 3600.0
BACKWARD = 3.0
"""Passes that a training step costs: one forward, two backward."""


@dataclass(frozen=True, slots=True)
class StageHours:
    """Holds a stage: its trials, what one takes, and what all take together.

    Attributes:
        trial: hours of one whole trial on one device.
        share: of the epochs that early stopping leaves, 1 without it.
        hours: of the stage, by the clock.
        device_hours: of all its trials.
    """

    name: str
    trials: int
    trial: float
    share: float
    hours: float
    device_hours: float


@dataclass(frozen=True, slots=True)
class StudyHours:
    """Holds the estimate of a study.

    Attributes:
        assumed: whether its speed is from data sheets, nothing being measured on such a device.
    """

    fleet: Fleet
    stages: tuple[StageHours, ...]
    assumed: bool

    @property
    def hours(self) -> float:
        """Hours by the clock, one stage after the other."""
        return math.fsum(stage.hours for stage in self.stages)

    @property
    def cost(self) -> tuple[float, float] | None:
        """Dollars, lowest and highest; None where no price is stated."""
        if self.fleet.price is None:
            return None
        low, high = (self.hours * price for price in self.fleet.price)
        return low, high


def estimated(plan: Plan, times: Mapping[str, StepTimes], fleet: Fleet) -> StudyHours:
    """Estimate the hours of a study none of whose trials is done.

    Args:
        times: of each pair, by its label.
        fleet: what it would run on.
    """
    expected, spec = ExpectedTrials.of(plan), plan.spec
    pairs = [(pair, times[pair.label]) for pair in spec.each_pair]
    factors = [_factor(each, fleet) for _, each in pairs]
    parts = split(plan.raw, plan.data)
    held_out = len(parts.validation)
    train = len(parts.train) + held_out
    epochs = {pair.label: plan.epochs for pair, _ in pairs}
    looks = [_looks(plan, epochs[pair.label], _trials_of_pair(expected, len(pairs))) for pair, _ in pairs]
    whole = [
        factor
        * epochs[pair.label]
        * (train * (each.student_s + look * each.teacher_s) + held_out * each.evaluated_s)
        for (pair, each), factor, look in zip(pairs, factors, looks, strict=True)
    ]
    teachers = [
        factor * closed(spec.teacher_training or spec.training).epochs * train * each.teacher_training_s
        for (pair, each), factor in zip(pairs, factors, strict=True)
        if pair.weights is None
    ]
    share = expected_share(spec.search.stop, searched_training(spec), max(2, spec.budget.trials))
    mean = math.fsum(whole) / len(whole)
    teacher = math.fsum(teachers) / len(teachers) if teachers else 0.0
    at_once = max(1, fleet.count // spec.resources.workers_per_trial)
    stages = (
        _stage("teachers", expected.trials["teachers"] if teachers else 0, teacher, 1.0, at_once),
        _stage("search", expected.trials["search"], mean * (1 - held_out / train), share, at_once),
        _stage("confirm", expected.trials["confirm"], mean, 1.0, at_once),
    )
    return StudyHours(fleet, stages, any(_assumed(each, fleet) for _, each in pairs))


def _stage(name: str, trials: int, seconds: float, share: float, at_once: int) -> StageHours:
    """Return a stage of ``trials`` that take ``seconds`` each; the last of them fill not every device."""
    rounds = trials * share / at_once
    hours = max(rounds, 1.0 if trials else 0.0) * seconds / HOUR
    return StageHours(name, trials, seconds / HOUR, share, hours, trials * share * seconds / HOUR)


def _trials_of_pair(expected: ExpectedTrials, pairs: int) -> float:
    return (expected.trials["search"] + expected.trials["confirm"]) / pairs


def _looks(plan: Plan, epochs: float, trials: float) -> float:
    """Return the share of images that the teacher has to look at: a view that it has seen is remembered.

    Trials of one seed draw the same views: all of a search, and those that confirm under it. Of V views, E
    draws meet V (1 - (1 - 1/V)^E); where views are not counted each draw is another.
    """
    if plan.spec.resources.views == "off" or plan.mixes or epochs * trials <= 0:
        return 1.0
    shown = plan.raw.augmentation
    met = draws = epochs * min(trials, 1 + plan.spec.confirm.looks[-1])
    if plan.spec.data.augment == "none":
        met = 1.0
    elif isinstance(shown, CropFlipViews):
        met = shown.count * (1 - (1 - 1 / shown.count) ** draws)
    return float(met / (epochs * trials))


def _factor(times: StepTimes, fleet: Fleet) -> float:
    """Return the factor from seconds measured here to seconds on one device of ``fleet``."""
    if not _assumed(times, fleet):
        here = known_gpu(times.device)
        return 1.0 if fleet.device == CORE or here is None else rate(here) / rate(fleet.device)
    if fleet.device == CORE:
        return 1.0
    return BACKWARD * times.multiply_adds / rate(fleet.device) / times.student_s


def _assumed(times: StepTimes, fleet: Fleet) -> bool:
    """Tell whether nothing like a device of ``fleet`` was measured here."""
    return (times.device == CORE) != (fleet.device == CORE)
