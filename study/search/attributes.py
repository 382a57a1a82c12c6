"""Counts which trials of an Optuna study use up a budget of trials."""

from __future__ import annotations

from collections.abc import Sequence

from optuna.trial import FrozenTrial, TrialState

AGAIN = "again"
"""User attribute of a queued trial: the number of the trial it replaces."""
REPEAT = "repeat"
"""User attribute of a trial that was drawn before, or is beyond a limit; another was drawn instead."""


def stood_in_for(trials: Sequence[FrozenTrial]) -> set[int]:
    """Return the numbers of the trials that were queued again."""
    return {trial.user_attrs[AGAIN] for trial in trials if AGAIN in trial.user_attrs}


def waiting(trials: Sequence[FrozenTrial], by_hand: bool) -> int:
    """Count the trials that are queued: those by hand, or the others."""
    queued = [trial for trial in trials if trial.state is TrialState.WAITING]
    return sum((BY_HAND in trial.user_attrs) is by_hand for trial in queued)


def used(trials: Sequence[FrozenTrial]) -> int:
    """Count the trials charged to the budget: those that were asked for, and not queued again since."""
    again = stood_in_for(trials)
    return sum(
        trial.state is not TrialState.WAITING and trial.number not in again and _counts(trial)
        for trial in trials
    )


def taken(trials: Sequence[FrozenTrial]) -> int:
    """Count the trials charged to the budget or queued: the number, from 0, of the next one drawn."""
    return sum(AGAIN not in trial.user_attrs and _counts(trial) for trial in trials)


def _counts(trial: FrozenTrial) -> bool:
    """Tell whether a trial is charged to the budget; one that was cut off before it had a point is not."""
    asked = trial.state is TrialState.WAITING or bool(trial.params)
    return asked and BY_HAND not in trial.user_attrs and REPEAT not in trial.user_attrs


KEY = "trial_key"
"""User attribute of an Optuna trial: the key of its configuration."""
PAPER = "paper"
"""User attribute: the label of the pair whose published configuration this is."""
BY_HAND = "enqueued"
"""User attribute of a trial that was asked for by hand: it comes on top of the budget."""
