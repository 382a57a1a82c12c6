"""Says what a Tune run takes its trials from: phases, each with a source of trials."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from study.plan.trial import PlannedTrial


class TrialSource(Protocol):
    """Gives the trials of a phase, and decides which of them end early."""

    @property
    def cut(self) -> Mapping[str, str]:
        """Reasons for which the budget ended trials before their last epoch, by key."""

    def ask(self, trial_id: str) -> PlannedTrial | None:
        """Give the next trial; None while there is none, or, where none runs, at the end."""

    def stops(self, trial_id: str, metrics: Mapping[str, float]) -> bool:
        """Decide whether a running trial ends after this report."""

    def tell(self, trial_id: str, metrics: Mapping[str, float] | None, failed: bool) -> None:
        """Take note of the end of a trial, with the metrics of its last epoch if it has any."""


class TrialList:
    """Gives trials that are known beforehand; each trains all its epochs.

    >>> from trainables.config.data import Data
    >>> from trainables.config.trial import TrialConfig
    >>> config = TrialConfig(data=Data(name="cifar100"), student="resnet8x4")
    >>> trials = TrialList([PlannedTrial(config, "confirm", "resnet32x4-resnet8x4", "CE")])
    >>> trials.ask("first").method, trials.ask("second")
    ('CE', None)
    """

    def __init__(self, planned_trials: Sequence[PlannedTrial]) -> None:
        self.cut: dict[str, str] = {}
        self._left = iter(planned_trials)

    def ask(self, trial_id: str) -> PlannedTrial | None:
        """Give the next trial; None at the end."""
        return next(self._left, None)

    def stops(self, trial_id: str, metrics: Mapping[str, float]) -> bool:
        """Let every trial go on to its last epoch."""
        return False

    def tell(self, trial_id: str, metrics: Mapping[str, float] | None, failed: bool) -> None:
        """Take no note of the end of a trial: the journal has it."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Names the trials of one stage, and what comes before them.

    >>> Phase(TrialList([])).source.ask("first") is None
    True

    Attributes:
        source: gives the trials.
        trials: how many the phase has in a whole study, where that is known and they are few: on one machine
            each then computes with its part of the cores. What is left of them decides nothing, so that a
            study that goes on computes as one that was never interrupted.
        before: is called first, while no process of a trial has a device; None where there is nothing to do.
    """

    source: TrialSource
    before: Callable[[], None] | None = None
    trials: int | None = None
