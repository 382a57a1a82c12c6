"""Says where a study stands in so few words that a line holds them: a row of ``list``, a line of a page."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

from study.errors import UserError
from study.journal.damage import JournalDamaged
from study.journal.journal import StudyState, read_outline
from study.journal.record import STATUSES
from study.workspace.folder import StudyFolder


@dataclass(frozen=True, slots=True)
class ShortStatus:
    """Holds where a study stands.

    Attributes:
        trials: number of trials by status, zeros too.
        last_activity: when it was last heard of, seconds since 1970; None where it never was.
        damage: what is wrong with its files, where the state is ``damaged``.

    >>> short = ShortStatus("mine", "running", {"done": 5, "failed": 0}, None)
    >>> short.line
    'running: 5 done'
    """

    study: str
    state: StudyState | Literal["damaged"]
    trials: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STATUSES, 0))
    last_activity: float | None = None
    damage: str = ""

    @classmethod
    def of(cls, name: str, found: StudyFolder | UserError) -> ShortStatus:
        """Read where the study ``name`` stands, unless its folder cannot be opened."""
        return cls.read(found) if isinstance(found, StudyFolder) else cls(name, "damaged", damage=str(found))

    @classmethod
    def read(cls, folder: StudyFolder) -> ShortStatus:
        """Read where the study in ``folder`` stands; a damaged journal is a state like others."""
        try:
            outline = read_outline(folder.journal)
        except JournalDamaged as error:
            return cls(folder.name, "damaged", damage=str(error))
        counts = Counter(record.status for record in outline.records.values())
        state = outline.state(folder.launcher() is not None)
        return cls(folder.name, state, {status: counts[status] for status in STATUSES}, outline.last)

    def heard(self, form: str) -> str:
        """Return when it was last heard of, in a ``form`` of :func:`time.strftime`; nothing where never."""
        return "" if self.last_activity is None else time.strftime(form, time.localtime(self.last_activity))

    @property
    def line(self) -> str:
        """Say it in a line, such as ``running: 5 done, 2 running; last heard of 2026-11-26 10:12:07``."""
        if self.damage:
            return self.damage
        counts = [f"{number} {status}" for status, number in self.trials.items() if number]
        last = self.heard("; last heard of %Y-%m-%d %H:%M:%S")
        return f"{self.state}: {', '.join(counts) or 'no trial yet'}{last}"
