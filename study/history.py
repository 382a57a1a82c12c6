"""The journal's trials as Optuna trials: Optuna's database is an index that can be made anew.

A record fits a search when its point, asked for through the search's space once more, gives the very same
trial key. What fits is history of the search, whatever the space looked like when it was run.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from optuna.trial import FixedTrial, FrozenTrial, TrialState, create_trial

from study.domains import OptunaTrial
from study.journal import Record
from study.method_settings import settings_of
from study.methods import Distillation
from study.objectives import Objectives
from study.plan import Arm, Job, Plan
from trainables.config import Teacher

KEY = "trial_key"
"""User attribute of an Optuna trial: the key of its configuration."""
PAPER = "paper"
"""User attribute: the label of the pair whose published configuration this is."""
BY_HAND = "enqueued"
"""User attribute of a trial that was asked for by hand: it comes on top of the budget."""
STATES = {"done": TrialState.COMPLETE, "stopped": TrialState.PRUNED, "failed": TrialState.FAIL}


def ended(record: Record | None) -> bool:
    """Whether a trial came to an end of its own; one that a spent budget stopped can be gone on with."""
    return record is not None and record.status in STATES and not record.reason.startswith("budget.")


class History:
    """The records of a study as its present searches see them.

    Attributes:
        teachers: by pair label.
        records: the journal's, by trial key.
    """

    def __init__(self, plan: Plan, teachers: Mapping[str, Teacher], records: Mapping[str, Record]) -> None:
        self.plan = plan
        self.teachers = teachers
        self.records = records
        self.objectives = Objectives(plan)
        self._labels = {arm.label for arm in plan.arms}

    def job(self, arm: Arm, trial: OptunaTrial) -> Job:
        """The trial of ``arm`` at the point that ``trial`` suggests."""
        pair, method = arm.suggest(trial)
        job = self.plan.search_job(arm, pair, method, self.teachers[pair.label])
        return replace(job, point=dict(trial.params))

    def of(self, arm: Arm) -> list[Record]:
        """The records that fit ``arm``, in the order in which they began."""
        return [record for record in self.candidates(arm) if self.trial(arm, record) is not None]

    def candidates(self, arm: Arm) -> list[Record]:
        """The records that may fit: of this search, or of one that the study no longer has."""
        pairs = {pair.label for pair in arm.pairs}
        others = self._labels - {arm.label}
        return [r for r in self.records.values() if r.arm and r.arm not in others and r.pair in pairs]

    def trial(self, arm: Arm, record: Record) -> FrozenTrial | None:
        """``record`` in the arm's Optuna study, WAITING where it did not end; None where it does not fit."""
        fixed = FixedTrial(point_of(arm, record))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of values out of range; they are refused below
            try:
                return self._frozen(fixed, record) if self.job(arm, fixed).key == record.key else None
            except (ValueError, TypeError, KeyError):
                return None

    def _frozen(self, fixed: FixedTrial, record: Record) -> FrozenTrial:
        attributes: dict[str, Any] = {KEY: record.key}
        if record.role == "paper":
            attributes[PAPER] = record.pair
        what: dict[str, Any] = {
            "params": fixed.params,
            "distributions": fixed.distributions,
            "user_attrs": attributes,
        }
        if not ended(record):
            return create_trial(state=TrialState.WAITING, **what)
        state, values = STATES[record.status], self.objectives.values(record.final, record.pair)
        if state is TrialState.FAIL or values is None:
            return create_trial(state=TrialState.FAIL, **what)
        if len(values) == 1:  # Optuna keeps no steps where there are several objectives
            what["intermediate_values"] = {int(record.final["epoch"]): values[0]}
        return create_trial(state=state, values=values, **what)


def point_of(arm: Arm, record: Record) -> dict[str, Any]:
    """The record's point; a knob that was fixed when it ran and is searched now is read from its settings."""
    point = {"pair": record.pair, **record.point}
    if isinstance(arm.method, Distillation):
        known = settings_of(record.config["method"])
        for name, _, domain in arm.method.domains():
            if name in known:
                point[name] = domain.stored(known[name])
    return {name: value for name, value in point.items() if value is not None}
