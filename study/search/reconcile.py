"""Brings an Optuna study to what the journal says, and queues the trials that are fixed beforehand."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Any

from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from study.journal.record import TrialRecord
from study.plan.search_space import SearchSpace
from study.search import attributes as counting
from study.search.attributes import AGAIN, KEY, PAPER, REPEAT
from study.search.history import SearchHistory, ended
from study.search.objectives import Objectives
from study.spec.grid import points


def agree(study: Study, space: SearchSpace, history: SearchHistory) -> None:
    """Close and queue again what a crash cut off; add what the journal alone knows.

    Of a new study, or of one whose database was lost, that is all that fits its space.
    """
    trials = study.get_trials(deepcopy=False)
    again = counting.stood_in_for(trials)
    for trial in trials:
        if trial.state is TrialState.WAITING or trial.number in again or REPEAT in trial.user_attrs:
            continue
        record = history.records.get(trial.user_attrs.get(KEY, ""))
        running = trial.state is TrialState.RUNNING
        if running:
            study.tell(trial.number, state=TrialState.FAIL)
        if trial.params and (running or not ended(record)):
            _stand_in(study, space, history, trial, record)
    known = {trial.user_attrs.get(KEY) for trial in trials}
    for record in history.candidates(space):
        fitting = history.trial(space, record) if record.key not in known else None
        if fitting is not None:
            _add(study, fitting)


def _stand_in(
    study: Study, space: SearchSpace, history: SearchHistory, trial: FrozenTrial, record: TrialRecord | None
) -> None:
    """Put a trial in the place of one that was cut off: as it ended by the journal, or queued to go on."""
    attributes = {**trial.user_attrs, AGAIN: trial.number}
    known = history.trial(space, record) if record is not None else None
    if known is None:
        study.enqueue_trial(trial.params, user_attrs=attributes)
    else:
        known.user_attrs = attributes
        _add(study, known)


def _add(study: Study, trial: FrozenTrial) -> None:
    """Add a trial that has ended; queue one that has not."""
    if trial.state is TrialState.WAITING:
        study.enqueue_trial(trial.params, user_attrs=trial.user_attrs)
    else:
        study.add_trial(trial)


def enqueue_paper(study: Study, space: SearchSpace, trials: int, objectives: Objectives) -> None:
    """Queue the paper's configuration of each pair where it was not asked for yet, within ``trials``."""
    known = study.get_trials(deepcopy=False)
    pairs = {trial.user_attrs.get(PAPER) for trial in known}
    room = trials - counting.taken(known)
    for pair in space.pairs:
        if not objectives.feasible({}, pair.label):
            continue
        point = space.paper_point(pair)
        if point is not None and pair.label not in pairs and room > 0:
            study.enqueue_trial(point, user_attrs={PAPER: pair.label})
            room -= 1


def rest_of_grid(study: Study, space: SearchSpace, trials: int) -> deque[dict[str, Any]]:
    """List the points of the grid that were not asked for yet, at most ``trials``."""
    known = [t.params or t.system_attrs.get("fixed_params", {}) for t in study.get_trials(deepcopy=False)]
    return deque(islice((point for point in points(space.suggest) if point not in known), trials))
