"""Asks Optuna for the trials of one search and tells it how they ended; knows nothing of Ray.

Optuna's storage outlives the launcher, and the journal outlives Optuna's storage. On each launch the same
studies are opened and made to agree with the journal: trials that a crash left running are queued again, what
the journal alone knows is added, and only what is left of the budget is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping

import optuna
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from study.journal.record import TrialRecord
from study.plan.search_space import SearchSpace
from study.plan.trial import PlannedTrial
from study.search import attributes as counting
from study.search.attributes import BY_HAND, KEY, REPEAT
from study.search.history import SearchHistory
from study.search.reconcile import agree, enqueue_paper, rest_of_grid
from study.search.samplers import make_sampler
from study.spec.search import COSTS

__all__ = ["BY_HAND", "OptunaSearcher"]

MOST_BEYOND = 300
"""Draws beyond a limit of ``Search.subject_to`` after which a search is taken to have nothing within."""
MOST_REPEATS = 20
"""Draws of known points in a row after which a search is taken to know its whole space."""


class OptunaSearcher:
    """Asks one Optuna study for trials, each a whole configuration, and tells it what came of them.

    A trial that early stopping ended is PRUNED in Optuna, with the value it had reached.

    >>> from study.plan.resolve import resolve
    >>> from study.spec import SDD, Data, Float, Pair, StudySpec
    >>> from trainables.config import Teacher
    >>> digits = Data(name="cluttered_digits", options={"scenes": 100, "test": 100})
    >>> pairs, methods = (Pair("resnet20", "resnet8"),), (SDD(beta=Float(1, 8)),)
    >>> spec = StudySpec(name="small", data=digits, pairs=pairs, methods=methods)
    >>> teachers = {"resnet20-resnet8": Teacher(name="resnet20", weights="ab" * 32)}
    >>> history = SearchHistory(plan := resolve(spec), teachers, records={})
    >>> searcher = OptunaSearcher(plan.search_spaces[0], history, optuna.storages.InMemoryStorage())
    >>> first = searcher.ask("the paper's first")
    >>> first.point, searcher.left()
    ({'beta': 2.0}, 39)
    >>> searcher.tell("the paper's first", {"epoch": 1, "val/top1": 40.0})
    >>> [trial.state.name for trial in searcher.study.trials]  # one of 240 epochs
    ['PRUNED']

    Attributes:
        study: the Optuna study, brought to what the journal says.
        asked: the trials that run, by the id they were asked for under, each with its Optuna trial.
    """

    def __init__(self, space: SearchSpace, history: SearchHistory, storage: BaseStorage) -> None:
        self.space = space
        self.history = history
        self.spec = history.plan.spec
        self.objectives = history.objectives
        self.asked: dict[str, tuple[optuna.Trial, PlannedTrial]] = {}
        self._reached = ""
        self.study = optuna.create_study(
            storage=storage,
            study_name=history.plan.search_name(space),
            directions=self.objectives.directions,
            load_if_exists=True,
        )
        agree(self.study, space, history)
        enqueue_paper(self.study, space, self.spec.budget.trials, self.objectives)
        self._grid = None
        if self.spec.search.sampler == "grid":
            self._grid = rest_of_grid(self.study, space, self.spec.budget.trials)
        self._keys = {str(trial.user_attrs.get(KEY)) for trial in self.study.get_trials(deepcopy=False)}
        self._all_known = False
        for record in self.known:
            if record.status == "done":
                self._look_at(record.key, record.final[self.objectives.metric])

    @property
    def known(self) -> list[TrialRecord]:
        """Records, from the journal, of the trials that the Optuna study has."""
        return [record for key, record in self.history.records.items() if key in self._keys]

    def used(self) -> int:
        """Count the trials that are charged to the budget."""
        return counting.used(self.study.get_trials(deepcopy=False))

    def left(self) -> int:
        """Count the trials still to be asked for; those enqueued by hand come on top of the budget."""
        trials = self.study.get_trials(deepcopy=False)
        left, queued = (
            max(0, self.spec.budget.trials - counting.used(trials)),
            counting.waiting(trials, False),
        )
        if self._grid is not None:
            left = min(left, len(self._grid) + queued)
        elif self._all_known:
            left = min(left, queued)
        return left + counting.waiting(trials, True)

    def reached(self) -> str:
        """Say which trial reached the budget's target, ``budget.target: ...``; empty where none has."""
        return self._reached

    def exhausted(self) -> str:
        """Say that all trials of the budget, or all points there are, were asked for; empty otherwise."""
        if self.left():
            return ""
        used, most = self.used(), self.spec.budget.trials
        if used >= most:
            return f"budget.trials: {used} of {most} are done"
        return f"all of the {'grid' if self._grid is not None else 'space'} is known after {used} trials"

    def _look_at(self, key: str, value: float) -> None:
        """Note whether a whole trial with this value of the first objective reaches the target."""
        target = self.spec.budget.target
        if target is not None and value >= target and not self._reached:
            self._reached = f"budget.target: {target:g} is reached by {key} with {value:.2f}"

    def ask(self, trial_id: str) -> PlannedTrial | None:
        """Draw the next trial; None once the budget, or the space, is asked for."""
        if self.left() <= 0:
            return None
        if self._grid and not counting.waiting(self.study.get_trials(deepcopy=False), False):
            self.study.enqueue_trial(self._grid.popleft())
        attempt = beyond = 0
        while attempt < MOST_REPEATS and beyond < MOST_BEYOND:
            trials = self.study.get_trials(deepcopy=False)
            queued, place = any(t.state is TrialState.WAITING for t in trials), counting.taken(trials)
            self.study.sampler = make_sampler(
                self.spec, place, attempt + beyond, attempt >= MOST_REPEATS // 2
            )
            trial = self.study.ask()
            planned = self.history.planned(self.space, trial)
            trial.set_user_attr(KEY, planned.key)
            if not self._within(trial, planned):
                beyond += 1
                continue
            if queued or planned.key not in self._keys:
                self._keys.add(planned.key)
                self.asked[trial_id] = trial, planned
                return planned
            self._tell_known(trial, planned)
            attempt += 1
        self._all_known = True
        return None

    def _within(self, trial: optuna.Trial, planned: PlannedTrial) -> bool:
        """Tell Optuna by how much costs that are known now are beyond their limits; return whether none is.

        One beyond is not trained and not charged to the budget: Optuna has it as pruned.
        """
        constraints = self.objectives.constraints({}, planned.pair)
        for name, over in constraints.items():
            trial.set_constraint(name, over)
        if all(over <= 0 for over in constraints.values()):
            return True
        trial.set_user_attr(REPEAT, True)
        self.study.tell(trial, state=TrialState.PRUNED)
        return False

    def _tell_known(self, trial: optuna.Trial, planned: PlannedTrial) -> None:
        """Tell Optuna what is known of a point that was drawn again; it is not charged to the budget."""
        trial.set_user_attr(REPEAT, True)
        record = self.history.records.get(planned.key)
        values = self.objectives.values(record.final, record.pair) if record is not None else None
        if record is not None and values is not None and record.status == "done":
            self.study.tell(trial, values)
        else:
            self.study.tell(trial, state=TrialState.FAIL)

    def tell(self, trial_id: str, metrics: Mapping[str, float] | None, failed: bool = False) -> None:
        """Tell Optuna of a trial's end: complete after the last epoch, pruned before it, failed.

        Epochs before the last are not reported: samplers look at the last value alone, and each report would
        be a write to the database.

        Args:
            metrics: of its last epoch; None where it has none.
        """
        trial, planned = self.asked.pop(trial_id)
        values = self.objectives.values(metrics or {}, planned.pair)
        for name, over in self.objectives.constraints(metrics or {}, planned.pair).items():
            if name not in COSTS:  # those were known when it was asked for
                trial.set_constraint(name, over)
        if failed or not metrics or values is None:
            self.study.tell(trial, state=TrialState.FAIL)
            return
        whole = metrics["epoch"] >= planned.config.training.epochs
        if whole:
            self._look_at(planned.key, values[0])
        if len(values) > 1:  # Optuna keeps no steps of several objectives
            self.study.tell(trial, values if whole else None, None if whole else TrialState.PRUNED)
            return
        trial.report(values[0], int(metrics["epoch"]))
        if whole:
            self.study.tell(trial, values[0])
        else:
            self.study.tell(trial, state=TrialState.PRUNED)
