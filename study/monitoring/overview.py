"""Answers what is asked of a study from outside, from its journal and its ``study.json``."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from study.journal.curves import Floats, LearningCurves
from study.journal.journal import StudyState, read_measured
from study.journal.metrics_reader import ARRIVED
from study.journal.notes import LaunchNote, Note, StageNote, last_launch
from study.journal.record import TrialRecord, TrialStatus
from study.monitoring.device_time import SPENT
from study.monitoring.eta import TEACHERS, epochs_left, speed
from study.plan.expected import ExpectedTrials
from study.plan.study_file import StudyFile
from study.plan.trial import StageName
from study.workspace.folder import StudyFolder


@dataclass(frozen=True, slots=True)
class TrialOverview:
    """Describes one trial as ``status`` shows it.

    Attributes:
        epoch: epochs it has behind it, of ``epochs``.
        value: of the metric that the search maximises, after the last of them.
        status: as in the journal; ``interrupted`` for one that was running when its launcher ended.
        reason: why it failed.
    """

    key: str
    stage: StageName
    pair: str
    method: str
    role: str
    status: str
    settings: str
    epoch: int
    epochs: int
    value: float | None
    reason: str


@dataclass(frozen=True, slots=True)
class BestTrial:
    """Names the best trial of one search, and the paper's configuration of its pair, if that was tried."""

    search: str
    trial: TrialOverview
    paper: TrialOverview | None


@dataclass(frozen=True, slots=True)
class StageOverview:
    """Names the stage a study is in, or was last in, with its trials and how many of them are still to end.

    >>> StageOverview("search", total=40, left=12).left
    12
    """

    name: StageName
    total: int
    left: int


def best_of(trials: Iterable[TrialOverview]) -> TrialOverview:
    """Choose the trial with the highest value, whole ones before those stopped; each has a value."""
    return max(trials, key=lambda trial: (trial.status == "done", trial.value))


@dataclass
class StudyOverview:
    """Answers what is asked of a study's file and journal.

    Attributes:
        file: what was launched last.
        records: the trials, without histories, in the order in which they began.
        curves: of the metric that the search maximises, of what devices spent, and when reports came.
        notes: what launches did, in order.
        last: when the journal's last line was written, seconds since 1970; None where there is none.
        now: the present, seconds since 1970.

    >>> from study.journal.notes import LeaveNote
    >>> nothing = LearningCurves.from_histories([ARRIVED], [])
    >>> notes = [LaunchNote(time=0.0), StageNote(stage="search", total=40, left=12, time=1.0)]
    >>> view = StudyOverview(StudyFile(), [], nothing, notes, "interrupted", last=9.0)
    >>> view.alive, view.stage.left, view.until
    (False, 12, 9.0)
    """

    file: StudyFile
    records: Sequence[TrialRecord]
    curves: LearningCurves
    notes: list[Note]
    state: StudyState
    last: float | None
    now: float = field(default_factory=time.time)

    @classmethod
    def read(cls, folder: StudyFolder) -> StudyOverview:
        """Read the study in ``folder`` as it is at this moment."""
        file = StudyFile.read(folder)
        names = (*dict.fromkeys([file.metric, *SPENT]), ARRIVED)
        outline, curves = read_measured(folder.journal, names)
        records = list(outline.records.values())
        return cls(
            file,
            records,
            curves,
            outline.notes,
            outline.state(folder.launcher() is not None),
            outline.last,
        )

    @property
    def alive(self) -> bool:
        """True while a launcher runs the study."""
        return self.state == "running"

    @property
    def metric(self) -> str:
        """Name of the metric that the search maximises, such as ``val/top1``."""
        return self.file.metric

    @property
    def until(self) -> float:
        """Time to which the last launch is counted, seconds since 1970: now, or when it was last heard of."""
        return self.now if self.alive else self.last or self.now

    @cached_property
    def values(self) -> Floats:
        """Metric of each trial after its last epoch, [trials]; NaN where it has none."""
        return self.curves.last(self.metric)

    @property
    def trials(self) -> list[TrialOverview]:
        """Trials, in the order in which they began."""
        return [self.trial(number) for number in range(len(self.records))]

    def trial(self, number: int) -> TrialOverview:
        """Describe one trial by its index among :attr:`records`."""
        from study.journal.labels import settings

        record, value = self.records[number], float(self.values[number])
        return TrialOverview(
            key=record.key,
            stage=record.stage,
            pair=record.pair,
            method=record.method,
            role=record.role,
            status=record.status if self.alive or record.status != "running" else "interrupted",
            settings=settings(record),
            epoch=int(self.curves.lengths[number]),
            epochs=record.trial.training.epochs,
            value=None if np.isnan(value) else value,
            reason=record.reason,
        )

    @property
    def counts(self) -> Counter[str]:
        """Trials by status."""
        return Counter(record.status for record in self.records)

    def of_status(self, status: TrialStatus) -> list[TrialOverview]:
        """Describe the trials that have a status in the journal."""
        return [self.trial(number) for number, record in enumerate(self.records) if record.status == status]

    def best(self) -> list[BestTrial]:
        """Find the best trial of each search, whole ones before those that were stopped."""
        searches: dict[str, list[int]] = {}
        for number, record in enumerate(self.records):
            if record.stage == "search" and not np.isnan(self.values[number]):
                searches.setdefault(record.search, []).append(number)
        found = []
        for search, numbers in searches.items():
            best = max(numbers, key=lambda n: (self.records[n].status == "done", float(self.values[n])))
            pair = self.records[best].pair
            paper = [n for n in numbers if (self.records[n].role, self.records[n].pair) == ("paper", pair)]
            found.append(BestTrial(search, self.trial(best), self.trial(paper[0]) if paper else None))
        return found

    @cached_property
    def launch(self) -> list[Note]:
        """Notes of the last launch."""
        return last_launch(self.notes)

    @property
    def stages(self) -> list[StageNote]:
        """Stages that the last launch has begun."""
        return [note for note in self.launch if isinstance(note, StageNote)]

    @property
    def stage(self) -> StageOverview | None:
        """Stage that the last launch is in, or was in at its end; None before its first."""
        if not self.stages:
            return None
        now = self.stages[-1]
        return StageOverview(now.stage, now.total, max(now.left - len(self.ended_in(now)), 0))

    def ended_in(self, stage: StageNote) -> list[int]:
        """List the numbers of the trials of ``stage`` that ended since it began."""
        return [
            number
            for number, record in enumerate(self.records)
            if record.stage == stage.stage and (record.ended or 0.0) >= stage.time
        ]

    @cached_property
    def arrivals(self) -> list[float]:
        """Times of the last launch's reports, seconds since 1970, sorted; once students train, of them."""
        students = [note.time for note in self.stages if note.stage != TEACHERS]
        since = [*students, *(note.time for note in self.launch), np.inf][0]
        times = self.curves.column(ARRIVED)
        return [float(when) for when in np.sort(times[times >= since])]

    @property
    def speed(self) -> float:
        """Epochs a second; 0 where nothing runs."""
        return speed(self.arrivals, self.now) if self.alive else 0.0

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the study, or its teachers, are done, as the live view says; None without a speed."""
        stages = {note.stage: note for note in self.stages}
        if self.speed <= 0 or self.stage is None:
            return None
        begun = self.launch[0]
        assert isinstance(begun, LaunchNote)
        expected = ExpectedTrials(begun.epochs, begun.trials)
        left = {**expected.trials, **dict.fromkeys(map(str, stages), 0), self.stage.name: self.stage.left}
        ended = self.ended_in(stages[self.stage.name])
        usual = float(self.curves.lengths[ended].mean()) if ended and self.stage.name == "search" else None
        running = [number for number, record in enumerate(self.records) if record.status == "running"]
        behind = int(self.curves.lengths[running].sum())
        return epochs_left(expected, left, self.stage.name, usual, behind) / self.speed
