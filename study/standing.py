"""Where a study stands, from its journal and its spec alone: while it runs and after it, from any shell."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from study.curves import Curves
from study.device_time import SPENT, DeviceTime, device_time
from study.folder import StudyFolder
from study.journal import STATUSES, Line, Record, read_outline
from study.ownership import Launcher
from study.pace import Expected, epochs_left, speed
from study.report.frames import WANTED
from study.reports import ARRIVED, read_curves
from study.spending import devices_by_time, search_seconds
from trainables.store import read_json


@dataclass(frozen=True, slots=True)
class Trial:
    """One trial as ``status`` shows it.

    Attributes:
        epoch: epochs it has behind it, of ``epochs``.
        value: of the metric that the search maximises, after the last of them.
        status: as in the journal; ``interrupted`` for one that was running when its launcher ended.
        reason: why it failed.
    """

    key: str
    stage: str
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
class Best:
    """The best trial of one search, and the paper's configuration of the same pair, if it was tried."""

    search: str
    trial: Trial
    paper: Trial | None


@dataclass(frozen=True, slots=True)
class Stage:
    """The stage a study is in, or was in when it was last heard of; trials in it, and those still to end."""

    name: str
    total: int
    left: int


@dataclass(frozen=True, slots=True)
class Standing:
    """All of ``sdd-study status``; its JSON has these names.

    Attributes:
        last_activity: of the journal, seconds since 1970.
        seconds_left: a guess; None where nothing runs, or nothing was reported yet.
        budget: used, limit and what is left of everything that ends the search, by name.
    """

    study: str
    state: str
    launcher: Launcher | None
    last_activity: float | None
    metric: str
    stage: Stage | None
    trials: dict[str, int]
    running: list[Trial]
    best: list[Best]
    failed: list[Trial]
    budget: dict[str, dict[str, float | None]]
    epochs_per_second: float
    seconds_left: float | None
    time: DeviceTime


def standing(folder: StudyFolder) -> Standing:
    """Read where the study in ``folder`` stands."""
    view = View.read(folder)
    return Standing(
        study=folder.name,
        state=view.state,
        launcher=folder.launcher,
        last_activity=view.last,
        metric=view.metric,
        stage=view.stage,
        trials={status: view.counts[status] for status in STATUSES},
        running=view.of_status("running"),
        best=view.best(),
        failed=view.of_status("failed"),
        budget=view.budget(),
        epochs_per_second=view.speed,
        seconds_left=view.seconds_left,
        time=device_time(view.curves, [record.started for record in view.records], view.notes, view.until),
    )


def best_of(trials: Iterable[Trial]) -> Trial:
    """The one with the highest value, whole ones before those that were stopped; each has a value."""
    return max(trials, key=lambda trial: (trial.status == "done", trial.value))


def _metric(spec: dict[str, Any]) -> str:
    return str(spec.get("search", {}).get("maximize", WANTED[0]))


def _last(journal: Path) -> float | None:
    return journal.stat().st_mtime if journal.exists() else None


@dataclass
class View:
    """A study's spec and journal, with the questions that are asked of them."""

    spec: dict[str, Any]
    records: Sequence[Record]
    curves: Curves
    notes: list[Line]
    state: str
    last: float | None
    now: float = field(default_factory=time.time)

    @classmethod
    def read(cls, folder: StudyFolder) -> View:
        """The study as it is at this moment."""
        outline, spec = read_outline(folder.journal), read_json(folder.path / "study.json") or {}
        names = (*dict.fromkeys([_metric(spec), *SPENT]), ARRIVED)
        curves = read_curves(folder.journal, list(outline.records), names)
        records = list(outline.records.values())
        return cls(
            spec,
            records,
            curves,
            outline.notes,
            outline.state(folder.launcher is not None),
            _last(folder.journal),
        )

    @property
    def alive(self) -> bool:
        return self.state == "running"

    @property
    def metric(self) -> str:
        return _metric(self.spec)

    @property
    def until(self) -> float:
        """Where the present launch ends: now, or when the study was last heard of."""
        return self.now if self.alive else self.last or self.now

    @cached_property
    def trials(self) -> list[Trial]:
        from study.progress import settings

        values = self.curves.last(self.metric)
        return [
            Trial(
                **{name: getattr(record, name) for name in ("key", "stage", "pair", "method", "role")},
                status=record.status if self.alive or record.status != "running" else "interrupted",
                settings=settings(record),
                epoch=int(epoch),
                epochs=record.config["training"]["epochs"],
                value=None if np.isnan(value) else float(value),
                reason=record.reason,
            )
            for record, epoch, value in zip(self.records, self.curves.lengths, values, strict=True)
        ]

    @property
    def counts(self) -> Counter[str]:
        return Counter(record.status for record in self.records)

    def of_status(self, status: str) -> list[Trial]:
        return [
            trial for record, trial in zip(self.records, self.trials, strict=True) if record.status == status
        ]

    def best(self) -> list[Best]:
        """Of each search its best trial, whole ones before those that were stopped."""
        searches: dict[str, list[Trial]] = {}
        for record, trial in zip(self.records, self.trials, strict=True):
            if trial.stage == "search" and trial.value is not None:
                searches.setdefault(record.arm, []).append(trial)
        found = []
        for search, trials in searches.items():
            best = best_of(trials)
            paper = [trial for trial in trials if (trial.role, trial.pair) == ("paper", best.pair)]
            found.append(Best(search, best, paper[0] if paper else None))
        return found

    @cached_property
    def launch(self) -> list[Line]:
        """What the last launch noted."""
        starts = [number for number, note in enumerate(self.notes) if note["type"] == "launch"]
        return self.notes[starts[-1] :] if starts else []

    @property
    def stage(self) -> Stage | None:
        stages = [note for note in self.launch if note["type"] == "stage"]
        if not stages:
            return None
        now = stages[-1]
        return Stage(now["stage"], now["total"], max(now["left"] - len(self._ended(now)), 0))

    def _ended(self, stage: Line) -> list[int]:
        """Numbers of the trials of ``stage`` that ended since it began."""
        return [
            number
            for number, record in enumerate(self.records)
            if record.stage == stage["stage"] and (record.ended or 0.0) >= stage["time"]
        ]

    @cached_property
    def arrivals(self) -> list[float]:
        """When reports of the last launch came."""
        since = self.launch[0]["time"] if self.launch else np.inf
        times = self.curves.column(ARRIVED)
        return [float(when) for when in np.sort(times[times >= since])]

    @property
    def speed(self) -> float:
        return speed(self.arrivals, self.now) if self.alive else 0.0

    @property
    def seconds_left(self) -> float | None:
        """As the live view guesses it."""
        stages = {note["stage"]: note for note in self.launch if note["type"] == "stage"}
        if self.speed <= 0 or not stages or self.stage is None:
            return None
        expected = Expected(self.launch[0]["epochs"], self.launch[0]["trials"])
        left = {**expected.trials, **dict.fromkeys(stages, 0), self.stage.name: self.stage.left}
        ended = self._ended(stages[self.stage.name])
        usual = float(self.curves.lengths[ended].mean()) if ended and self.stage.name == "search" else None
        behind = sum(trial.epoch for trial in self.trials if trial.status == "running")
        return epochs_left(expected, left, self.stage.name, usual, behind) / self.speed

    def budget(self) -> dict[str, dict[str, float | None]]:
        """What is used of each limit that the study has."""
        limits = self.spec.get("budget", {})
        left, total = self._search_left()
        best = max((trial.trial.value or 0.0 for trial in self.best()), default=0.0)
        used = {
            "trials": total - left,
            "hours": search_seconds(self._closed_notes(), self.records) / 3600,
            "device_hours": self._device_seconds() / 3600,
            "target": best,
            "max_failures": float(self.counts["failed"]),
        }
        limits = {**limits, "trials": total or None}
        return {
            name: {"used": used[name], "limit": limit, "left": max(limit - used[name], 0.0)}
            for name, limit in limits.items()
            if limit is not None and name in used
        }

    def _search_left(self) -> tuple[int, int]:
        """Trials of the budget that the searches may still ask for, and of how many."""
        began = [note for note in self.launch if (note["type"], note.get("stage")) == ("stage", "search")]
        searches = len({record.arm for record in self.records if record.arm})
        each = self.spec.get("budget", {}).get("trials", 0)
        total = self.launch[0]["trials"]["search"] if self.launch else each * max(searches, 1)
        if began:  # counts what was enqueued by hand too, which comes on top
            left = began[-1]["left"] - len(self._ended(began[-1]))
        else:
            left = total - sum(record.arm != "" and record.status != "running" for record in self.records)
        return min(max(left, 0), total), total

    def _closed_notes(self) -> list[Line]:
        """The notes, with an end to a launch that has none yet."""
        still = self.notes and self.notes[-1]["type"] != "leave"
        return [*self.notes, {"type": "leave", "time": self.until}] if still else self.notes

    def _device_seconds(self) -> float:
        """As ``study.spending`` counts them."""
        devices, seconds = devices_by_time(self.notes), self.curves.total("time/epoch_s")
        searched = [n for n, record in enumerate(self.records) if record.stage == "search"]
        return sum(float(seconds[n]) * devices(self.records[n].started) for n in searched)
