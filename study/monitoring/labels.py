"""Writes durations and settings as short texts."""

from __future__ import annotations

from study.journal.record import TrialRecord


def settings(record: TrialRecord) -> str:
    """Write the method of a trial with the knobs that matter, in one line."""
    logit = record.trial.method.logit
    if logit is None:
        return record.method
    knobs = f"alpha {logit.alpha:.3g}"
    if not record.method.startswith("SD-"):
        return f"{record.method} {knobs}"
    scales = ",".join(map(str, logit.scales))
    return f"{record.method} {{{scales}}} {knobs} beta {logit.complementary_weight:.3g}"


def duration(seconds: float) -> str:
    """``45 s``, ``12 min``, ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
