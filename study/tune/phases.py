"""Phase, its source of trials, a fixed list"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ray.tune.search import Searcher

from study.plan.trial import PlannedTrial


class TrialSource(Protocol):
    """Trials of a phase."""

    @property
    def cut(self) -> Mapping[str, str]:
        """Why running trials were told to end before their last epoch, by key."""

    def suggest(self, trial_id: str) -> Any:
        """``{"trial": configuration}``; None while nothing is left but trials run; else ``FINISHED``."""

    def planned(self, key: str) -> PlannedTrial:
        """The job behind a trial key that was suggested."""

    def stops(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Whether a running trial is to end after this report."""

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """A trial reported an epoch."""

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """A trial has ended."""


class TrialList:
    """Trials that are known beforehand."""

    def __init__(self, planned_trials: Sequence[PlannedTrial]) -> None:
        self.cut: dict[str, str] = {}
        self._planned_trials = {planned.key: planned for planned in planned_trials}
        self._left = iter(planned_trials)

    def suggest(self, trial_id: str) -> Any:
        """The next one."""
        planned = next(self._left, None)
        return Searcher.FINISHED if planned is None else {"trial": planned.config.to_dict()}

    def planned(self, key: str) -> PlannedTrial:
        """The job of that key."""
        return self._planned_trials[key]

    def stops(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Never: each trains all its epochs."""
        return False

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Nothing is decided by it."""

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Nothing is decided by it."""


@dataclass(frozen=True, slots=True)
class Phase:
    """Trials of one stage.

    Attributes:
        source: gives them.
        before: to be done first, while no process of a trial has a device.
    """

    source: TrialSource
    before: Callable[[], None] | None = None
