"""Turns the journal's trials into Optuna trials: Optuna's database is an index that can be made anew.

A record fits a search when its point, asked for through the search's space once more, gives the very same
trial key. What fits is history of the search, whatever the space looked like when it was run.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from optuna.trial import FixedTrial, FrozenTrial, TrialState, create_trial

from study.journal.record import TrialRecord
from study.plan.plan import Plan
from study.plan.search_space import SearchSpace
from study.plan.trial import PlannedTrial
from study.search.attributes import KEY, PAPER
from study.search.objectives import Objectives
from study.spec.domains import OptunaTrial
from trainables.config.trial import Teacher

STATES = {"done": TrialState.COMPLETE, "stopped": TrialState.PRUNED, "failed": TrialState.FAIL}


def ended(record: TrialRecord | None) -> bool:
    """Tell whether a trial is done, failed or stopped by a rule.

    One that a spent budget cut is none of these: a later launch with a larger one goes on with it.
    """
    return record is not None and record.status in STATES and not record.reason.startswith("budget.")


class SearchHistory:
    """Holds the records of a study as its present searches see them.

    Attributes:
        teachers: by pair label.
        records: the journal's, by trial key.
    """

    def __init__(
        self, plan: Plan, teachers: Mapping[str, Teacher], records: Mapping[str, TrialRecord]
    ) -> None:
        self.plan = plan
        self.teachers = teachers
        self.records = records
        self.objectives = Objectives.of(plan)
        self._labels = {space.label for space in plan.search_spaces}

    def planned(self, space: SearchSpace, trial: OptunaTrial) -> PlannedTrial:
        """Plan the trial of ``space`` at the point that ``trial`` suggests."""
        pair, method = space.suggest(trial)
        planned = self.plan.search_trial(space, pair, method, self.teachers[pair.label])
        return replace(planned, point=dict(trial.params))

    def of(self, space: SearchSpace) -> list[TrialRecord]:
        """List the records that fit ``space``, in the order in which they began."""
        return [record for record in self.candidates(space) if self.trial(space, record) is not None]

    def candidates(self, space: SearchSpace) -> list[TrialRecord]:
        """List the records that may fit: of this search, or of one that the study no longer has."""
        pairs = {pair.label for pair in space.pairs}
        others = self._labels - {space.label}
        return [r for r in self.records.values() if r.search and r.search not in others and r.pair in pairs]

    def trial(self, space: SearchSpace, record: TrialRecord) -> FrozenTrial | None:
        """Turn ``record`` into a trial of the search's Optuna study; None where it does not fit.

        It is WAITING where the record did not end.
        """
        fixed = FixedTrial(point_of(space, record))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of values out of range; they are refused below
            try:
                return self._frozen(fixed, record) if self.planned(space, fixed).key == record.key else None
            except (ValueError, TypeError, KeyError):
                return None

    def _frozen(self, fixed: FixedTrial, record: TrialRecord) -> FrozenTrial:
        attributes: dict[str, Any] = {KEY: record.key}
        if record.role == "paper":
            attributes[PAPER] = record.pair
        what: dict[str, Any] = {
            "params": fixed.params,
            "distributions": fixed.distributions,
            "user_attrs": attributes,
            "constraints": self.objectives.constraints(record.final, record.pair) or None,
        }
        if not ended(record):
            return create_trial(state=TrialState.WAITING, **what)
        state, values = STATES[record.status], self.objectives.values(record.final, record.pair)
        if state is TrialState.FAIL or values is None:
            return create_trial(state=TrialState.FAIL, **what)
        if len(values) > 1 and state is TrialState.PRUNED:
            return create_trial(state=state, **what)
        if len(values) == 1:  # Optuna keeps no steps where there are several objectives
            what["intermediate_values"] = {int(record.final["epoch"]): values[0]}
        return create_trial(state=state, values=values, **what)


def point_of(space: SearchSpace, record: TrialRecord) -> dict[str, Any]:
    """Return the record's point; a knob fixed when it ran and searched now is read from its settings."""
    pair = next(pair for pair in space.pairs if pair.label == record.pair)
    return {space.chosen: space.pair_label(pair), **record.point, **space.point_at(record.config)}
