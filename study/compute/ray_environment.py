"""Sets what Ray reads from the environment as it is imported; to be called before that."""

from __future__ import annotations

import os

LOST_PROCESSES = (
    "A worker died or was killed while executing|killed due to memory pressure|running low on memory"
)
"""Lines of Ray's about lost processes; a launch tells of each in its own words, with the trial's name."""


def prepare() -> None:
    """Have Ray keep back :data:`LOST_PROCESSES`; what the user has set stays as it is."""
    os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", LOST_PROCESSES)
