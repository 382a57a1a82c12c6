"""The search: Optuna studies, one an arm, handed to Ray Tune through its ``OptunaSearch``.

Optuna's storage outlives the launcher. On the next launch the same studies are opened, trials that a crash
left running are closed and queued again, and only what is left of the budget is asked for.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, cast

import optuna
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import TrialState
from ray.tune.search import Searcher
from ray.tune.search.optuna import OptunaSearch

from study.domains import Choice
from study.methods import at_paper, stored_point
from study.plan import Arm, Job
from study.spec import Pair, StudySpec

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL)
AGAIN = "again"
"""User attribute of a queued trial: the number of the orphan it stands in for."""

MakeJob = Callable[[Arm, Pair, Any], Job]


def open_storage(url: str) -> BaseStorage:
    """Optuna's storage at a database URL; tables are made when there are none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return RDBStorage(url)


def make_sampler(spec: StudySpec, known: int = 0) -> BaseSampler:
    """The sampler of a spec; ``known`` trials were asked for before, and their draws do not come again."""
    seed = spec.search.seed + 1000 * known
    if spec.search.sampler == "random":
        return RandomSampler(seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        startup = max(4, spec.budget.trials // 4)
        return TPESampler(
            multivariate=True, group=True, constant_liar=True, seed=seed, n_startup_trials=startup
        )


class ArmSearch(OptunaSearch):
    """One arm's Optuna study as a Tune searcher that suggests whole trial configurations.

    A trial that the scheduler stopped early is PRUNED in Optuna, with the value it had reached; Ray's own
    class would call it complete. ``cost`` by pair is the second objective, where the search has one.
    """

    def __init__(
        self,
        arm: Arm,
        spec: StudySpec,
        storage: BaseStorage,
        study_name: str,
        make_job: MakeJob,
        cost: Mapping[str, float] | None = None,
    ) -> None:
        self.arm = arm
        search = spec.search
        self.maximize = search.maximize
        self._cost = cost
        self.jobs: dict[str, Job] = {}
        self._make_job = make_job
        self._pairs = Choice(*arm.pairs) if len(arm.pairs) > 1 else None
        super().__init__(
            space=lambda trial: None,
            metric=search.maximize if search.minimize is None else list(search.objectives),
            mode="max" if search.minimize is None else ["max", "min"],
            storage=storage,
            study_name=study_name,
        )
        self.study = cast(optuna.Study, self._ot_study)
        self.study.sampler = make_sampler(spec, len(self.study.get_trials(deepcopy=False)))
        self._requeue_orphans()
        self._enqueue_paper()
        self.left = max(0, spec.budget.trials - finished_trials(self.study))

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """A trial configuration under ``trial``; None once the budget is asked for."""
        if self.left <= 0:
            return None
        self.left -= 1
        trial = self._ot_trials[trial_id] = self.study.ask()
        pair = self._pairs.suggest(trial, "pair") if self._pairs else self.arm.pairs[0]
        job = self._make_job(self.arm, pair, self.arm.method.suggest(trial))
        trial.set_user_attr("trial_key", job.key)
        self.jobs[job.key] = job
        return {"trial": job.config.to_dict()}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Tell Optuna: complete after the last epoch, pruned before it, failed on an error."""
        if trial_id in self._completed_trials:
            return
        self._completed_trials.add(trial_id)
        trial = self._ot_trials.pop(trial_id)
        if error or not result or self.maximize not in result:
            self.study.tell(trial, state=TrialState.FAIL)
            return
        value, epoch = float(result[self.maximize]), int(result["epoch"])
        job = self.jobs[trial.user_attrs["trial_key"]]
        if self._cost is not None:
            self.study.tell(trial, [value, self._cost[job.pair]])
            return
        trial.report(value, epoch)
        if epoch >= job.config.training.epochs:
            self.study.tell(trial, value)
        else:
            self.study.tell(trial, state=TrialState.PRUNED)

    def _requeue_orphans(self) -> None:
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            self.study.tell(trial.number, state=TrialState.FAIL)
            if trial.params:
                self.study.enqueue_trial(trial.params, user_attrs={**trial.user_attrs, AGAIN: trial.number})

    def _enqueue_paper(self) -> None:
        """Queue the paper's configuration of each pair, on the study's first launch."""
        if self.study.get_trials(deepcopy=False):
            return
        for pair in self.arm.pairs:
            paper = at_paper(self.arm.method, pair.case(self.arm.data))
            point = stored_point(self.arm.method, paper)
            if point is not None:
                pairs = {"pair": self._pairs.stored(pair)} if self._pairs else {}
                self.study.enqueue_trial({**pairs, **point}, user_attrs={"paper": True})


def finished_trials(study: optuna.Study) -> int:
    """Trials that use up a place of the budget: ended, and not orphans of a crash that are queued again."""
    trials = study.get_trials(deepcopy=False)
    again = {trial.user_attrs[AGAIN] for trial in trials if AGAIN in trial.user_attrs}
    return sum(
        trial.state in FINISHED and bool(trial.params) and trial.number not in again for trial in trials
    )


class Interleaved(Searcher):
    """Several arms as one searcher: each suggestion comes from the arm that has the most left to ask."""

    def __init__(self, arms: list[ArmSearch]) -> None:
        super().__init__(metric=arms[0].maximize, mode="max")  # what trials report; a cost is known before
        self.arms = arms
        self._owner: dict[str, ArmSearch] = {}

    def __getstate__(self) -> dict[str, Any]:
        """Nothing, for the same reason as in :meth:`save`."""
        return {}

    @property
    def left(self) -> int:
        """Trials that are still to be asked for."""
        return sum(arm.left for arm in self.arms)

    def job(self, key: str) -> Job:
        """The job behind a trial key that was suggested."""
        return next(arm.jobs[key] for arm in self.arms if key in arm.jobs)

    def suggest(self, trial_id: str) -> dict[str, Any] | None:
        """See :meth:`ArmSearch.suggest`."""
        arm = max(self.arms, key=lambda arm: arm.left)
        self._owner[trial_id] = arm
        return arm.suggest(trial_id)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Pass a report on to the arm the trial belongs to."""
        self._owner[trial_id].on_trial_result(trial_id, result)

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Pass the end of a trial on to its arm."""
        self._owner[trial_id].on_trial_complete(trial_id, result, error)

    def set_search_properties(
        self, metric: str | None, mode: str | None, config: dict[str, Any], **spec: Any
    ) -> bool:
        """Everything is set already."""
        return True

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the state is in Optuna's storage and the journal."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing, see :meth:`save`."""
