"""What a Tune run takes its trials from: one phase of a study after the other.

All of a launch's phases pass through one run, so that the processes of one phase's trials, with their
imports, data and compiled code, go on with the next one's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ray.tune.search import Searcher

from study.plan.trial import PlannedTrial
from study.tune.callback import exits_tuner
from study.tune.phases import Phase, TrialSource


class PhaseSearcher(Searcher):
    """Phases as one Tune searcher; it ends with the last of them, or at one that wants something done first.

    Args:
        first: the phase to begin with.
        phases: those that follow. To ask for the next one may itself do work: whatever comes between stages.
        most: how many trials may run at once, for now.

    Attributes:
        held: the phase at which it ended; None where there is none left.
    """

    def __init__(self, first: Phase, phases: Iterator[Phase], most: Callable[[], int]) -> None:
        super().__init__()
        self.held: Phase | None = None
        self._phase: Phase | None = first
        self._phases = phases
        self._most = most
        self._running: set[str] = set()

    def __getstate__(self) -> dict[str, Any]:
        """Nothing: Tune pickles its searcher for a restore that this project does not use."""
        return {}

    def suggest(self, trial_id: str) -> Any:
        """A configuration; None for now; ``FINISHED`` at the end."""
        with exits_tuner():
            if len(self._running) >= self._most():
                return None
            while self._phase is not None:
                suggested = self._phase.source.suggest(trial_id)
                if suggested != self.FINISHED:
                    if suggested is not None:
                        self._running.add(trial_id)
                    return suggested
                if self._running:
                    return None
                self._phase = next(self._phases, None)
                if self._phase is not None and self._phase.before is not None:
                    self.held, self._phase = self._phase, None
        return self.FINISHED

    def planned(self, key: str) -> PlannedTrial:
        """The job of a trial that was suggested."""
        return self._now.planned(key)

    def cut(self, key: str) -> str:
        """Why a trial was told to end before its last epoch; empty where it was not."""
        return self._now.cut.get(key, "")

    def stops(self, trial_id: str, result: Mapping[str, Any]) -> bool:
        """Whether a running trial is to end after this report."""
        with exits_tuner():
            return self._now.stops(trial_id, result)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Pass a report on to the phase."""
        with exits_tuner():
            self._now.on_trial_result(trial_id, result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Pass the end of a trial on to the phase."""
        self._running.discard(trial_id)
        with exits_tuner():
            self._now.on_trial_complete(trial_id, result, error)

    @property
    def _now(self) -> TrialSource:
        """A phase lasts until its last trial has ended."""
        assert self._phase is not None
        return self._phase.source

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        """Everything is set already."""
        return True

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the state is in the journal and Optuna's storage."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, see :meth:`save`."""
