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
        """Why the budget ended trials before their last epoch, by key."""

    def ask(self, trial_id: str) -> PlannedTrial | None:
        """Give the next trial; None while there is none, or, where none runs, at the end."""

    def stops(self, trial_id: str, metrics: Mapping[str, float]) -> bool:
        """Decide whether a running trial ends after this report."""

    def tell(self, trial_id: str, metrics: Mapping[str, float] | None, failed: bool) -> None:
        """Take note of the end of a trial, with the metrics of its last epoch if it has any."""


class TrialList:
    """Gives trials that are known beforehand; each trains all its epochs."""

    def __init__(self, planned_trials: Sequence[PlannedTrial]) -> None:
        self.cut: dict[str, str] = {}
        self._left = iter(planned_trials)

    def ask(self, trial_id: str) -> PlannedTrial | None:
        """Give the next one."""
        return next(self._left, None)

    def stops(self, trial_id: str, metrics: Mapping[str, float]) -> bool:
        """Let it go on."""
        return False

    def tell(self, trial_id: str, metrics: Mapping[str, float] | None, failed: bool) -> None:
        """Take no note: the journal has it."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Names the trials of one stage.

    Attributes:
        source: gives them.
        before: to be done first, while no process of a trial has a device.
    """

    source: TrialSource
    before: Callable[[], None] | None = None
