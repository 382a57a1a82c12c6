"""A search driven by hand, as Tune and the recorder drive it: asked, reported to, ended, opened again."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from optuna.storages import BaseStorage

from study.journal.journal import Journal
from study.journal.record import TrialStatus
from study.plan.plan import Plan
from study.plan.trial import PlannedTrial
from study.search.budget import BudgetMeter
from study.search.history import SearchHistory
from study.search.optuna_searcher import OptunaSearcher
from study.search.optuna_storage import open_optuna_storage
from study.search.study_search import StudySearch
from trainables.config import Teacher, TrialConfig

TEACHER = Teacher(name="resnet8", weights="0" * 64)


class Driven:
    """One launch of a study's searches, without Ray: the journal and Optuna's database are real."""

    def __init__(self, plan: Plan, folder: Path, storage: BaseStorage | None = None) -> None:
        self.said: list[str] = []
        folder.mkdir(parents=True, exist_ok=True)
        self.journal = Journal(folder / "journal.jsonl")
        teachers = {pair.label: TEACHER for pair in plan.spec.pairs}
        self.history = SearchHistory(plan, teachers, self.journal.records)
        self.storage = storage or open_optuna_storage(f"sqlite:///{folder / 'optuna.db'}", self.said.append)
        self.searchers = [OptunaSearcher(space, self.history, self.storage) for space in plan.search_spaces]
        self.search = StudySearch(
            self.searchers, BudgetMeter(plan.spec.budget, self.journal.records, self.journal.notes)
        )
        self.planned_trials: dict[str, PlannedTrial] = {}
        self.metric = plan.spec.search.maximize

    def ask(self, trial_id: str) -> TrialConfig | None:
        """The configuration suggested under ``trial_id``, which begins; None where none is left."""
        planned = self.search.ask(trial_id)
        if planned is None:
            return None
        self.planned_trials[trial_id] = planned
        self.journal.begin(planned)
        return TrialConfig.from_dict(planned.config.to_dict())

    def report(self, trial_id: str, *values: float) -> None:
        """Epochs 1, 2, ... of a trial."""
        for epoch, value in enumerate(values, 1):
            metrics = {"epoch": epoch, self.metric: value}
            self.journal.report(self.planned_trials[trial_id].key, metrics)

    def end(self, trial_id: str, *values: float, status: TrialStatus = "done") -> None:
        """Its epochs and its end."""
        self.report(trial_id, *values)
        last = (
            {"epoch": len(values), "training_iteration": len(values), self.metric: values[-1]}
            if values
            else None
        )
        self.search.tell(trial_id, last, status == "failed")
        self.journal.end(self.planned_trials[trial_id].key, status)

    def epoch(self, trial_id: str, epoch: int, value: float, seconds: float = 0.0) -> bool:
        """An epoch of a trial, in Tune's order: scheduler, journal; whether the trial goes on."""
        planned = self.planned_trials[trial_id]
        metrics = {"epoch": epoch, self.metric: value, "time/epoch_s": seconds}
        stopped = self.search.stops(trial_id, metrics)
        self.journal.report(planned.key, metrics)
        whole = epoch == planned.config.training.epochs
        if stopped or whole:
            self.search.tell(trial_id, metrics)
            self.journal.end(
                planned.key, "done" if whole else "stopped", self.search.cut.get(planned.key, "")
            )
        return not (stopped or whole)

    def close(self) -> None:
        """The launcher ends, or dies."""
        self.journal.close()


def keys(configs: Sequence[TrialConfig | None]) -> list[str]:
    """Trial keys of configurations that were suggested."""
    found = [config.trial_key for config in configs if config is not None]
    assert len(found) == len(configs), "a suggestion is missing"
    return found
