"""What happens in a study goes through here: to the journal first, then to whoever else listens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from study.journal import Journal, Record
from study.plan import Job


class Watcher(Protocol):
    """Hears of a study after the journal has it."""

    def stage(self, name: str, total: int, left: int) -> None:
        """A stage of ``total`` trials begins; ``left`` of them are still to be run."""

    def began(self, job: Job, record: Record) -> None:
        """A trial runs."""

    def reported(self, record: Record, epoch: int) -> None:
        """Metrics of ``epoch`` (counted from 1) are in ``record``."""

    def remarked(self, record: Record, text: str) -> None:
        """Something went wrong in a trial and was mended."""

    def ended(self, record: Record) -> None:
        """A trial is done, stopped or failed."""


class Recorder:
    """Keeps the journal and passes each event on to the watchers."""

    def __init__(self, journal: Journal, watchers: list[Watcher]) -> None:
        self.journal = journal
        self.watchers = watchers

    @property
    def records(self) -> dict[str, Record]:
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

    def began(self, job: Job) -> None:
        """A trial was given to a process."""
        self.journal.begin(job)
        for watcher in self.watchers:
            watcher.began(job, self.records[job.key])

    def reported(self, job: Job, metrics: Mapping[str, float]) -> None:
        """A trial reports an epoch, perhaps one that is known from before a crash."""
        if self.journal.report(job.key, metrics) is not None:
            for watcher in self.watchers:
                watcher.reported(self.records[job.key], int(metrics["epoch"]))

    def remarked(self, job: Job, text: str) -> None:
        """A trial says something for the user."""
        self.journal.remark(job.key, text)
        for watcher in self.watchers:
            watcher.remarked(self.records[job.key], text)

    @property
    def failed(self) -> int:
        """Trials that have failed."""
        return sum(record.status == "failed" for record in self.records.values())

    def ended(self, job: Job, status: str, reason: str = "") -> None:
        """A trial ended."""
        self.journal.end(job.key, status, reason)
        for watcher in self.watchers:
            watcher.ended(self.records[job.key])

    def adopt(self, job: Job, result: Mapping[str, Any]) -> None:
        """Take in a run that another study, or this one before it was interrupted, has finished."""
        self.began(job)
        for metrics in result["history"]:
            self.reported(job, metrics)
        self.ended(job, "done")
