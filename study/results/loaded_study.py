"""Holds one study as a reader found it, in a results folder or in MLflow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from study.journal.curves import Floats, LearningCurves
from study.journal.record import TrialRecord
from study.spec.study import Confirm

WANTED = ("val/top1", "test/top1", "test/top5")
"""Metrics of which a report reads every epoch."""

SECONDS, BATCH_MS = "time/epoch_s", "time/batch_ms"
"""Metrics of which a report reads a trial's total and mean: seconds of an epoch, milliseconds of a batch."""


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
    """

    study: str
    records: Sequence[TrialRecord]
    curves: LearningCurves
    seconds: Floats
    batch_ms: Floats
    asked: Confirm | None = None
    metric: str = WANTED[0]

    @classmethod
    def of_curves(
        cls,
        study: str,
        records: Sequence[TrialRecord],
        curves: LearningCurves,
        asked: Confirm | None = None,
        metric: str = WANTED[0],
    ) -> LoadedStudy:
        """Return one whose curves have the times too."""
        seconds, batch_ms = curves.total(SECONDS), curves.mean(BATCH_MS)
        return cls(study, records, curves, seconds, batch_ms, asked, metric)


def all_names(metric: str = WANTED[0]) -> tuple[str, ...]:
    """Name the metrics that a report reads of a journal, in which ``metric`` was searched for."""
    return tuple(dict.fromkeys([*WANTED, metric, SECONDS, BATCH_MS]))
