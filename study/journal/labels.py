"""Writes what a trial was given as a short text."""

from __future__ import annotations

from study.journal.record import TrialRecord

SAID = ("base", "scales", "alpha", "beta")
"""Knobs that the line names for every method, searched or not."""


def settings(record: TrialRecord) -> str:
    """Write the method of a trial with the knobs that matter, in one line.

    A confirming trial has its seed behind them: those of other seeds stand beside it.
    """
    logit, usual = record.trial.method.logit, [record.method]
    if logit is not None and record.method.startswith("SD-"):
        usual.append(f"{{{','.join(map(str, logit.scales))}}}")
    if logit is not None:
        usual.append(f"alpha {logit.alpha:.3g}")
    if logit is not None and record.method.startswith("SD-"):
        usual.append(f"beta {logit.complementary_weight:.3g}")
    further = {name: value for name, value in record.asked.items() if name not in SAID}
    shown = (f"{value:.3g}" if isinstance(value, float) else str(value) for value in further.values())
    seed = [f"seed {record.trial.seed}"] if record.stage == "confirm" else []
    return " ".join([*usual, *map(" ".join, zip(further, shown, strict=True)), *seed])
