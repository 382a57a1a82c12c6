"""Adds up what the searches of a study have spent of their budget, over all launches."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence

from study.journal.launches import devices_by_time, search_seconds
from study.journal.notes import Note
from study.journal.record import TrialRecord
from study.spec.search import Budget

HOUR = 3600.0


class BudgetMeter:
    """Watches the budget's times, and says when one is over; trials and targets are each search's own.

    >>> clock = iter([0.0, 7200.0, 7200.0])
    >>> meter = BudgetMeter(Budget(hours=2), records={}, notes=[], now=lambda: next(clock))
    >>> meter.hours, meter.over()
    (2.0, 'budget.hours: 2 of 2 are spent')

    Args:
        records, notes: the journal's, which go on growing.
        now: seconds since 1970.
    """

    def __init__(
        self,
        budget: Budget,
        records: Mapping[str, TrialRecord],
        notes: Sequence[Note],
        now: Callable[[], float] = time.time,
    ) -> None:
        self._budget = budget
        self._records = records
        self._notes = notes
        self._now = now
        self._began = now()
        self._before = search_seconds(notes, records.values())
        self._devices = devices_by_time(notes)
        self._seen: dict[str, int] = {}
        self._device_seconds = 0.0
        for key in records:
            self.heard(key)

    @property
    def hours(self) -> float:
        """Wall-clock hours of the search stage, over all launches."""
        return (self._before + self._now() - self._began) / HOUR

    @property
    def device_hours(self) -> float:
        """Hours of the search's epochs, each times the devices its trial had."""
        return self._device_seconds / HOUR

    def heard(self, key: str) -> None:
        """Count the epochs of a trial that were not counted yet."""
        record, seen = self._records.get(key), self._seen.get(key, 0)
        if record is None:  # it has not begun
            return
        if record.stage == "search" and seen < len(record.history):
            seconds = sum(record.history.measured("time/epoch_s", seen))
            self._device_seconds += seconds * self._devices(record.started)
            self._seen[key] = len(record.history)

    def over(self) -> str | None:
        """Say why the searches are to end, ``budget.FIELD: ...``; None while there is time left."""
        for name in ("hours", "device_hours"):
            limit, spent = getattr(self._budget, name), getattr(self, name)
            if limit is not None and spent >= limit:
                return f"budget.{name}: {spent:.3g} of {limit:g} are spent"
        return None
