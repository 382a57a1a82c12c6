"""Starts and stops trials in a Tune run, and lets go of idle processes."""

from __future__ import annotations

import time
from typing import Any

from ray.tune.schedulers import FIFOScheduler

from study.compute.ray_private import IdleActors
from study.tune.leaving import exits_tuner
from study.tune.searcher import PhaseSearcher

IDLE_S = 3.0
"""Seconds that a process whose trial has ended, and the devices it holds, are kept for the next trial."""


class IdleActorScheduler(FIFOScheduler):
    """Starts trials as they come; a process that has no next trial gives its devices back soon.

    Tune keeps one for as long as the search might suggest something: at the end of a budget, until the last
    trial has ended. Here it is let go after :data:`IDLE_S`. And a process that is free goes to a trial that
    has none; Tune would give it to one whose own is starting, and end that.

    A process may die while it is idle. Tune tells of that twice, as the loss of the process and of the task
    that was to begin the next trial: at the first it begins the trial again, at the second it ends it. So the
    trial is set aside until both are told.
    """

    _busy = float("inf")

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._aside: list[tuple[Any, int]] = []

    def on_trial_add(self, tune_controller: Any, trial: Any) -> None:
        """Set a trial aside that Tune begins again because an idle process was dead."""
        actors = IdleActors(tune_controller)
        if actors.forsaken(trial):
            actors.set_aside(trial)
            self._aside.append((trial, trial.num_failures))

    def choose_trial_to_run(self, tune_controller: Any) -> Any:
        """Choose the next trial to run; Tune calls it many times a second."""
        idle = IdleActors(tune_controller)
        while self._aside:
            trial, failures = self._aside.pop()
            trial.max_failures += trial.num_failures - failures  # one loss, counted twice
            idle.take_back(trial)
        if not idle.any:
            self._busy = time.monotonic()
        elif time.monotonic() - self._busy > IDLE_S:
            idle.let_go()
        if waiting := idle.waiting:
            return next(trial for trial in tune_controller.get_trials() if trial in waiting)
        return super().choose_trial_to_run(tune_controller)


class StudyScheduler(IdleActorScheduler):
    """Stops trials early where the source of their phase says so."""

    def __init__(self, searcher: PhaseSearcher) -> None:
        super().__init__()
        self._searcher = searcher

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Decide whether a trial stops or goes on; a report of its failure has no epoch and stops nothing."""
        with exits_tuner():
            stops = result.get("epoch") and self._searcher.source.stops(trial.trial_id, result)
        return str(self.STOP if stops else self.CONTINUE)
