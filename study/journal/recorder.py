"""What happens in a study goes through here: to the journal first, then to whoever else listens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from study.journal.journal import Journal
from study.journal.record import TrialRecord
from study.plan.trial import PlannedTrial


class TrialObserver(Protocol):
    """Hears of a study after the journal has it."""

    def stage(self, name: str, total: int, left: int) -> None:
        """A stage of ``total`` trials begins; ``left`` of them are still to be run."""

    def began(self, planned: PlannedTrial, record: TrialRecord) -> None:
        """A trial runs."""

    def reported(self, record: TrialRecord, epoch: int) -> None:
        """Metrics of ``epoch`` (counted from 1) are in ``record``."""

    def remarked(self, record: TrialRecord, text: str) -> None:
        """Something went wrong in a trial and was mended."""

    def ended(self, record: TrialRecord) -> None:
        """A trial is done, stopped or failed."""


class Recorder:
    """Keeps the journal and passes each event on to the watchers."""

    def __init__(self, journal: Journal, watchers: list[TrialObserver]) -> None:
        self.journal = journal
        self.watchers = watchers

    @property
    def records(self) -> dict[str, TrialRecord]:
        """The study's trials by key."""
        return self.journal.records

    def stage(self, name: str, total: int, left: int) -> None:
        """A stage begins."""
        self.journal.note("stage", stage=name, total=total, left=left)
        for watcher in self.watchers:
            watcher.stage(name, total, left)

    def slots(self, slots: int, cpus: int, gpus: float) -> None:
        """Trials run from now on: so many at once, each with these resources."""
        self.journal.note("slots", slots=slots, cpus=cpus, gpus=gpus)

    def began(self, planned: PlannedTrial) -> None:
        """A trial was given to a process."""
        self.journal.begin(planned)
        for watcher in self.watchers:
            watcher.began(planned, self.records[planned.key])

    def reported(self, planned: PlannedTrial, metrics: Mapping[str, float]) -> None:
        """A trial reports an epoch, perhaps one that is known from before a crash."""
        if self.journal.report(planned.key, metrics) is not None:
            for watcher in self.watchers:
                watcher.reported(self.records[planned.key], int(metrics["epoch"]))

    def remarked(self, planned: PlannedTrial, text: str) -> None:
        """A trial says something for the user."""
        self.journal.remark(planned.key, text)
        for watcher in self.watchers:
            watcher.remarked(self.records[planned.key], text)

    @property
    def failed(self) -> int:
        """Trials that have failed."""
        return sum(record.status == "failed" for record in self.records.values())

    def ended(self, planned: PlannedTrial, status: str, reason: str = "") -> None:
        """A trial ended."""
        self.journal.end(planned.key, status, reason)
        for watcher in self.watchers:
            watcher.ended(self.records[planned.key])

    def adopt(self, planned: PlannedTrial, result: Mapping[str, Any]) -> None:
        """Take in a run that another study, or this one before it was interrupted, has finished."""
        self.began(planned)
        for metrics in result["history"]:
            self.reported(planned, metrics)
        self.ended(planned, "done")
