"""Passes on what happens in a study: to the journal first, then to whoever else listens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from study.journal.journal import Journal
from study.journal.notes import SlotsNote, StageNote
from study.journal.record import TrialRecord, TrialStatus
from study.plan.trial import PlannedTrial, StageName


class TrialObserver:
    """Hears of a study after the journal has it; a subclass says what it does then.

    >>> class StagePrinter(TrialObserver):
    ...     def stage(self, name, total, left):
    ...         print(f"{name}: {left} of {total} trials to run")
    >>> StagePrinter().stage("search", total=40, left=12)
    search: 12 of 40 trials to run
    """

    def stage(self, name: StageName, total: int, left: int) -> None:
        """Hear that a stage of ``total`` trials begins; ``left`` of them are still to be run."""

    def began(self, record: TrialRecord) -> None:
        """Hear that a trial runs."""

    def reported(self, record: TrialRecord, epoch: int) -> None:
        """Hear that metrics of ``epoch`` (counted from 1) are in ``record``."""

    def remarked(self, record: TrialRecord, text: str) -> None:
        """Hear that something went wrong in a trial and was mended."""

    def ended(self, record: TrialRecord) -> None:
        """Hear that a trial is done, stopped or failed."""


class Recorder:
    """Keeps the journal and passes each event on to the observers.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     recorder = Recorder(Journal(Path(folder, "journal.jsonl")), observers=[TrialObserver()])
    ...     recorder.stage("search", total=40, left=12)
    ...     recorder.journal.close()
    >>> recorder.journal.notes[-1].left, recorder.failed
    (12, 0)
    """

    def __init__(self, journal: Journal, observers: Sequence[TrialObserver]) -> None:
        self.journal = journal
        self.observers = observers

    @property
    def records(self) -> dict[str, TrialRecord]:
        """Trials of the study, by key."""
        return self.journal.records

    @property
    def failed(self) -> int:
        """Number of trials that have failed."""
        return sum(record.status == "failed" for record in self.records.values())

    def stage(self, name: StageName, total: int, left: int) -> None:
        """Note that a stage begins."""
        self.journal.note(StageNote(stage=name, total=total, left=left))
        for observer in self.observers:
            observer.stage(name, total, left)

    def slots(self, slots: int, cpus: int, gpus: float) -> None:
        """Note how many trials run at once from now on, and with what each."""
        self.journal.note(SlotsNote(slots=slots, cpus=cpus, gpus=gpus))

    def began(self, planned: PlannedTrial) -> None:
        """Note that a trial was given to a process."""
        self.journal.begin(planned)
        for observer in self.observers:
            observer.began(self.records[planned.key])

    def reported(self, planned: PlannedTrial, metrics: Mapping[str, float]) -> None:
        """Note an epoch of a trial, unless it is known from before a crash."""
        if self.journal.report(planned.key, metrics) is not None:
            for observer in self.observers:
                observer.reported(self.records[planned.key], int(metrics["epoch"]))

    def remarked(self, planned: PlannedTrial, text: str) -> None:
        """Note what a trial, or the loss of its process, has to say to the user."""
        record = self._record(planned)
        self.journal.remark(planned.key, text)
        for observer in self.observers:
            observer.remarked(record, text)

    def ended(self, planned: PlannedTrial, status: TrialStatus, reason: str = "") -> None:
        """Note that a trial ended."""
        record = self._record(planned)
        self.journal.end(planned.key, status, reason)
        for observer in self.observers:
            observer.ended(record)

    def adopt(self, planned: PlannedTrial, result: Mapping[str, Any]) -> None:
        """Take in a run that another study, or this one before it was interrupted, has finished."""
        self.began(planned)
        for metrics in result["history"]:
            self.reported(planned, metrics)
        self.ended(planned, "done")

    def _record(self, planned: PlannedTrial) -> TrialRecord:
        """Find the record of a trial, which begins with this event where its process was lost in starting."""
        if planned.key not in self.records:
            self.began(planned)
        return self.records[planned.key]
