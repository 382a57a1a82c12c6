"""Gives a Tune run its trials: one phase of a study after the other.

All of a launch's phases pass through one run, so that the processes of one phase's trials, with their
imports, data and compiled code, go on with the next one's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ray.tune.search import Searcher

from study.plan.trial import PlannedTrial
from study.tune.leaving import exits_tuner
from study.tune.phases import Phase, TrialSource


class PhaseSearcher(Searcher):
    """Suggests the trials of phases to Tune; ends with the last, or at one that wants something done first.

    >>> from study.tune.phases import TrialList
    >>> PhaseSearcher(Phase(TrialList([])), phases=iter([]), most=lambda: 4).suggest("first")
    'FINISHED'

    Args:
        first: the phase to begin with.
        phases: those that follow. To ask for the next one may itself do work: whatever comes between stages.
        most: how many trials may run at once, for now.
        cores: of the machine, where all trials run on one and compute on cores; 0 otherwise.

    Attributes:
        planned: the trials that were suggested, by Tune's ids.
        held: the phase at which it ended; None where there is none left.
    """

    def __init__(
        self, first: Phase, phases: Iterator[Phase], most: Callable[[], int], cores: int = 0
    ) -> None:
        super().__init__()
        self.planned: dict[str, PlannedTrial] = {}
        self.held: Phase | None = None
        self._running: set[str] = set()
        self._phase: Phase | None = first
        self._phases = phases
        self._most = most
        self._cores = cores

    def __getstate__(self) -> dict[str, Any]:
        """Keep nothing: Tune pickles its searcher for a restore that this project does not use."""
        return {}

    @property
    def source(self) -> TrialSource:
        """Source of the running trials: a phase lasts until its last trial has ended."""
        assert self._phase is not None
        return self._phase.source

    def suggest(self, trial_id: str) -> Any:
        """Give the next trial's configuration; None while there is none, ``FINISHED`` at the end."""
        with exits_tuner():
            if len(self._running) >= self._most():
                return None
            while self._phase is not None:
                planned = self._phase.source.ask(trial_id)
                if planned is not None:
                    self.planned[trial_id] = planned
                    self._running.add(trial_id)
                    few = self._phase.trials
                    threads = self._cores // few if few else 0
                    return {"trial": planned.config.to_dict(), "threads": threads}
                if self._running:
                    return None
                self._phase = next(self._phases, None)
                if self._phase is not None and self._phase.before is not None:
                    self.held, self._phase = self._phase, None
        return self.FINISHED

    def on_trial_complete(
        self, trial_id: str, result: Mapping[str, float] | None = None, error: bool = False
    ) -> None:
        """Tell the phase of the end of a trial."""
        self._running.remove(trial_id)
        with exits_tuner():
            self.source.tell(trial_id, result, error)

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        """Take nothing from Tune: everything is set already."""
        return True

    def save(self, checkpoint_path: str) -> None:
        """Save nothing: the state is in the journal and Optuna's storage."""
