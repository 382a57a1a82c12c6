"""The search: Optuna studies, one an arm, handed to Ray Tune through its ``OptunaSearch``.

Optuna's storage outlives the launcher, and the journal outlives Optuna's storage. On each launch the same
studies are opened and made to agree with the journal: trials that a crash left running are queued again, what
the journal alone knows is added, and only what is left of the budget is asked for.
"""

from __future__ import annotations

from typing import Any, cast

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState
from ray.tune.search.optuna import OptunaSearch

from study.history import BY_HAND, KEY, PAPER, History, ended
from study.journal import Record
from study.methods import at_paper, stored_point
from study.plan import Arm, Job
from study.samplers import make_sampler

AGAIN = "again"
"""User attribute of a queued trial: the number of the trial it stands in for."""


class ArmSearch(OptunaSearch):
    """One arm's Optuna study as a Tune searcher that suggests whole trial configurations.

    A trial that the scheduler stopped early is PRUNED in Optuna, with the value it had reached; Ray's own
    class would call it complete.
    """

    def __init__(self, arm: Arm, history: History, storage: BaseStorage) -> None:
        self.arm = arm
        self.history = history
        self.spec = history.plan.spec
        self.objectives = history.objectives
        self.jobs: dict[str, Job] = {}
        self._reported: dict[str, int] = {}
        several = len(self.objectives.names) > 1
        super().__init__(
            space=lambda trial: None,
            metric=list(self.objectives.names) if several else self.objectives.metric,
            mode=self.objectives.directions if several else "max",
            storage=storage,
            study_name=history.plan.search_name(arm),
        )
        self.study = cast(optuna.Study, self._ot_study)
        self._agree_with_journal()
        self._enqueue_paper()

    @property
    def left(self) -> int:
        """Trials that are still to be asked for; those enqueued by hand come on top of the budget."""
        trials = self.study.get_trials(deepcopy=False)
        by_hand = sum(t.state is TrialState.WAITING and BY_HAND in t.user_attrs for t in trials)
        return max(0, self.spec.budget.trials - places_used(trials)) + by_hand

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """A trial configuration under ``trial``; None once the budget is asked for."""
        trials = self.study.get_trials(deepcopy=False)
        if self.left <= 0:
            return None
        self.study.sampler = make_sampler(self.spec, places_taken(trials))
        trial = self._ot_trials[trial_id] = self.study.ask()
        job = self.history.job(self.arm, trial)
        trial.set_user_attr(KEY, job.key)
        self.jobs[job.key] = job
        return {"trial": job.config.to_dict()}

    def job_of(self, trial_id: str) -> Job:
        """The job that was suggested under ``trial_id``."""
        return self.jobs[self._ot_trials[trial_id].user_attrs[KEY]]

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Give Optuna the value of an epoch; of several objectives it takes none before the end."""
        if len(self.objectives.names) == 1 and self.objectives.metric in result:
            self._report(trial_id, result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell Optuna: complete after the last epoch, pruned before it, failed on an error."""
        if trial_id in self._completed_trials:
            return
        self._completed_trials.add(trial_id)
        trial, job = self._ot_trials[trial_id], self.job_of(trial_id)
        values = self.objectives.values(result or {}, job.pair)
        if error or not result or values is None:
            self.study.tell(trial, state=TrialState.FAIL)
            return
        if len(values) > 1:
            self.study.tell(trial, values)
            return
        self._report(trial_id, result)
        if result["epoch"] >= job.config.training.epochs:
            self.study.tell(trial, values[0])
        else:
            self.study.tell(trial, state=TrialState.PRUNED)

    def _report(self, trial_id: str, result: dict[str, Any]) -> None:
        epoch = int(result["epoch"])
        if epoch > self._reported.get(trial_id, 0):
            self._reported[trial_id] = epoch
            self._ot_trials[trial_id].report(float(result[self.objectives.metric]), epoch)

    def _agree_with_journal(self) -> None:
        """Bring Optuna's study to what the journal says; of a lost or new study that is all of it."""
        records = self.history.records
        trials = self.study.get_trials(deepcopy=False)
        again = stood_in_for(trials)
        for trial in trials:
            if trial.state is TrialState.WAITING or trial.number in again:
                continue
            record, running = records.get(trial.user_attrs.get(KEY, "")), trial.state is TrialState.RUNNING
            if running:
                self.study.tell(trial.number, state=TrialState.FAIL)
            if trial.params and (running or not ended(record)):
                self._stand_in(trial, record)
        known = {trial.user_attrs.get(KEY) for trial in trials}
        for record in self.history.candidates(self.arm):
            fitting = self.history.trial(self.arm, record) if record.key not in known else None
            if fitting is None:
                continue
            if fitting.state is TrialState.WAITING:
                self.study.enqueue_trial(fitting.params, user_attrs=fitting.user_attrs)
            else:
                self.study.add_trial(fitting)

    def _stand_in(self, trial: FrozenTrial, record: Record | None) -> None:
        """A trial in the place of one that was cut off: as it ended by the journal, or queued to go on."""
        attributes = {**trial.user_attrs, AGAIN: trial.number}
        finished = self.history.trial(self.arm, record) if record is not None else None
        if finished is None or finished.state is TrialState.WAITING:
            self.study.enqueue_trial(trial.params, user_attrs=attributes)
        else:
            finished.user_attrs = attributes
            self.study.add_trial(finished)

    def _enqueue_paper(self) -> None:
        """Queue the paper's configuration of each pair, where it was not asked for yet."""
        trials = self.study.get_trials(deepcopy=False)
        known = {trial.user_attrs.get(PAPER) for trial in trials}
        room = self.spec.budget.trials - places_taken(trials)
        domain = self.arm.pair_domain
        for pair in self.arm.pairs:
            point = stored_point(self.arm.method, at_paper(self.arm.method, pair.case(self.arm.data)))
            if point is not None and pair.label not in known and room > 0:
                pairs = {"pair": domain.stored(pair)} if domain else {}
                self.study.enqueue_trial({**pairs, **point}, user_attrs={PAPER: pair.label})
                room -= 1


def stood_in_for(trials: list[FrozenTrial]) -> set[int]:
    """Numbers of the trials that were queued again."""
    return {trial.user_attrs[AGAIN] for trial in trials if AGAIN in trial.user_attrs}


def places_used(trials: list[FrozenTrial]) -> int:
    """Trials that use up a place of the budget: asked for, not by hand, and not queued again since."""
    again = stood_in_for(trials)
    return sum(
        trial.state is not TrialState.WAITING
        and bool(trial.params)
        and BY_HAND not in trial.user_attrs
        and trial.number not in again
        for trial in trials
    )


def places_taken(trials: list[FrozenTrial]) -> int:
    """Places of the budget that are used or spoken for: the number of the next trial that is drawn."""
    return sum(
        (trial.state is TrialState.WAITING or bool(trial.params))
        and BY_HAND not in trial.user_attrs
        and AGAIN not in trial.user_attrs
        for trial in trials
    )
