"""Holds one study as a reader found it, in a results folder or in MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from study.journal.curves import Floats, LearningCurves
from study.journal.record import TrialRecord
from study.plan.study_file import StudyFile
from study.search.objectives import Objectives
from study.spec.rungs import Rung
from study.spec.search import COSTS
from study.spec.study import Confirm

WANTED = ("val/top1", "test/top1", "test/top5")
"""Metrics of which a report reads every epoch."""

SECONDS, BATCH_MS = "time/epoch_s", "time/batch_ms"
"""Metrics of which a report reads a trial's total and mean: seconds of an epoch, milliseconds of a batch."""


@dataclass(frozen=True, slots=True)
class SearchGoals:
    """Holds what a study's searches went for, and where they compared trials.

    >>> SearchGoals(Objectives(("val/top1", "val/loss"), limits={"val/loss": 1.5})).metrics
    ('val/top1', 'val/loss')

    Attributes:
        objectives: what is maximised and minimised, the limits, and what students cost.
        rungs: where trials are compared; empty where that is not known.
    """

    objectives: Objectives = field(default_factory=lambda: Objectives((WANTED[0],)))
    rungs: tuple[Rung, ...] = ()

    @classmethod
    def of(cls, file: StudyFile) -> SearchGoals:
        """Return what the file of a study says."""
        return cls(Objectives(file.objectives, file.limits, file.costs), file.rungs)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Metrics of trials that are an objective, or limited."""
        names = dict.fromkeys((*self.objectives.names, *self.objectives.limits))
        return tuple(name for name in names if name not in COSTS)


UNKNOWN_GOALS = SearchGoals()
"""Goals of a study whose reader does not know them: one objective, no limits, the usual rungs."""


@dataclass(frozen=True, slots=True)
class LoadedStudy:
    """Holds one study as a reader found it.

    >>> trial = TrialRecord("9cdc", "search", "resnet32x4-resnet8x4", "SD-KD", "", "", {}, started=0.0)
    >>> history = [{"val/top1": 61.0, "time/epoch_s": 2.5}, {"val/top1": 64.0, "time/epoch_s": 2.0}]
    >>> curves = LearningCurves.from_histories(all_names(), [history])
    >>> LoadedStudy.of_curves("quickstart", [trial], curves).seconds
    array([4.5])

    Attributes:
        records: its trials, without histories.
        curves: their metrics of each epoch, in the same order.
        seconds: that each of them trained.
        batch_ms: milliseconds a training batch of each; NaN where that was not measured.
        asked: what its stage confirm asked for; None where that is not known.
        metric: what its search maximised.
        goals: that and whatever else its searches went for.
    """

    study: str
    records: Sequence[TrialRecord]
    curves: LearningCurves
    seconds: Floats
    batch_ms: Floats
    asked: Confirm | None = None
    metric: str = WANTED[0]
    goals: SearchGoals = UNKNOWN_GOALS

    @classmethod
    def of_curves(
        cls,
        study: str,
        records: Sequence[TrialRecord],
        curves: LearningCurves,
        asked: Confirm | None = None,
        metric: str = WANTED[0],
        goals: SearchGoals = UNKNOWN_GOALS,
    ) -> LoadedStudy:
        """Return one whose curves have the times too."""
        seconds, batch_ms = curves.total(SECONDS), curves.mean(BATCH_MS)
        return cls(study, records, curves, seconds, batch_ms, asked, metric, goals)


def all_names(metric: str = WANTED[0], *further: str) -> tuple[str, ...]:
    """Name the metrics that a report reads of a journal, in which ``metric`` was searched for."""
    return tuple(dict.fromkeys([*WANTED, metric, *further, SECONDS, BATCH_MS]))
