"""Reads where a study stands: all of ``sdd-study status``, while the study runs and after it."""

from __future__ import annotations

from dataclasses import dataclass

from study.journal.journal import StudyState
from study.journal.launches import devices_by_time, search_seconds
from study.journal.notes import LaunchNote, LeaveNote, Note
from study.journal.record import STATUSES
from study.monitoring.device_time import DeviceTime, device_time
from study.monitoring.overview import BestTrial, StageOverview, StudyOverview, TrialOverview
from study.workspace.folder import StudyFolder
from study.workspace.lock import LockOwner
from trainables.config.serialization import to_plain


@dataclass(frozen=True, slots=True)
class Remark:
    """Says what went wrong in a trial and was mended: a damaged checkpoint, a lost process.

    >>> Remark("0123456789abcdef", "its process was lost; it goes on from its last checkpoint").key
    '0123456789abcdef'
    """

    key: str
    text: str


@dataclass(frozen=True, slots=True)
class StudyStatus:
    """Holds all of ``sdd-study status``; its JSON has these names.

    Attributes:
        last_activity: of the journal, seconds since 1970.
        seconds_left: a guess; while teachers train, of their stage alone; None where nothing runs, or nothing
            was reported yet.
        mended: what went wrong in trials that went on all the same.
        budget: used, limit and what is left of everything that ends the search, by name.
    """

    study: str
    state: StudyState
    launcher: LockOwner | None
    last_activity: float | None
    metric: str
    stage: StageOverview | None
    trials: dict[str, int]
    running: list[TrialOverview]
    best: list[BestTrial]
    failed: list[TrialOverview]
    mended: list[Remark]
    budget: dict[str, dict[str, float | None]]
    epochs_per_second: float
    seconds_left: float | None
    time: DeviceTime


def standing(folder: StudyFolder) -> StudyStatus:
    """Read where the study in ``folder`` stands."""
    view = StudyOverview.read(folder)
    return StudyStatus(
        study=folder.name,
        state=view.state,
        launcher=folder.launcher(),
        last_activity=view.last,
        metric=view.metric,
        stage=view.stage,
        trials={status: view.counts[status] for status in STATUSES},
        running=view.of_status("running"),
        best=view.best(),
        failed=view.of_status("failed"),
        mended=[Remark(record.key, text) for record in view.records for text in record.remarks],
        budget=budget(view),
        epochs_per_second=view.speed,
        seconds_left=view.seconds_left,
        time=device_time(view.curves, [record.started for record in view.records], view.notes, view.until),
    )


def budget(view: StudyOverview) -> dict[str, dict[str, float | None]]:
    """Add up what is used of each limit that the study has: used, limit and left, by name."""
    limits = to_plain(view.file.budget) or {}
    left, total = _search_left(view)
    best = max((trial.trial.value or 0.0 for trial in view.best()), default=0.0)
    used = {
        "trials": total - left,
        "hours": search_seconds(_closed_notes(view), view.records) / 3600,
        "device_hours": _device_seconds(view) / 3600,
        "target": best,
        "max_failures": float(view.counts["failed"]),
    }
    limits = {**limits, "trials": total or None}
    return {
        name: {"used": used[name], "limit": limit, "left": max(limit - used[name], 0.0)}
        for name, limit in limits.items()
        if limit is not None and name in used
    }


def _search_left(view: StudyOverview) -> tuple[int, int]:
    """Count the trials of the budget that the searches may still ask for, and of how many."""
    began = [note for note in view.stages if note.stage == "search"]
    searches = len({record.search for record in view.records if record.search})
    each = view.file.budget.trials if view.file.budget is not None else 0
    launch = view.launch[0] if view.launch else None
    total = launch.trials.get("search", 0) if isinstance(launch, LaunchNote) else each * max(searches, 1)
    if began:  # counts what was enqueued by hand too, which comes on top
        left = began[-1].left - len(view.ended_in(began[-1]))
    else:
        left = total - sum(record.search != "" and record.status != "running" for record in view.records)
    return min(max(left, 0), total), total


def _closed_notes(view: StudyOverview) -> list[Note]:
    """Return the notes, with an end to a launch that has none yet."""
    still = view.notes and not isinstance(view.notes[-1], LeaveNote)
    return [*view.notes, LeaveNote(time=view.until)] if still else view.notes


def _device_seconds(view: StudyOverview) -> float:
    """Count the device seconds of the search as :class:`~study.search.budget.BudgetMeter` does."""
    devices, seconds = devices_by_time(view.notes), view.curves.total("time/epoch_s")
    searched = [n for n, record in enumerate(view.records) if record.stage == "search"]
    return sum(float(seconds[n]) * devices(view.records[n].started) for n in searched)
