"""Says in words how long a study takes and what it costs: the end of a dry run."""

from __future__ import annotations

from study.estimate.devices import CORE
from study.estimate.duration import StudyHours


def describe_hours(found: StudyHours) -> str:
    """Show hours by stage and in all, with what they are of."""
    rows = []
    for stage in found.stages:
        if stage.trials:
            of = (
                "" if stage.share == 1 else f", of whose epochs early stopping leaves about {stage.share:.0%}"
            )
            trials = f"{stage.trials} trials of {hours(stage.trial)}{of}"
            rows.append((stage.name, f"{hours(stage.hours):>9}  {trials}"))
    rows.append(("in all", f"{hours(found.hours):>9}  on {found.fleet.label}"))
    if found.cost is not None:
        low, high = found.cost
        amount = f"${low:.2f}" if low == high else f"${low:.2f} to ${high:.2f}"
        rows.append(("cost", f"{amount}: {found.fleet.about}; prices from memory, nobody looked them up"))
    lines = [f"{name:10}{text}" for name, text in rows]
    return "\n".join(["# how long, about", *lines, f"          {_basis(found)}"])


def _basis(found: StudyHours) -> str:
    if found.assumed and found.fleet.device != CORE:
        return "nothing was measured on such a device: from data sheets, a factor of 3 either way"
    if found.assumed:
        return "measured on this machine's GPU, not on a core: name the GPU"
    return "from a few steps of each pair on this machine; starting, reading and compiling are not in it"


def hours(value: float) -> str:
    """Write hours in the unit that suits them.

    >>> hours(0.005), hours(0.5), hours(30)
    ('18 s', '30 min', '30 h')
    """
    seconds = value * 3600
    if seconds < 90:
        return f"{seconds:.2g} s" if seconds < 10 else f"{seconds:.0f} s"
    if seconds < 5400:
        return f"{seconds / 60:.0f} min"
    return f"{value:.1f} h" if value < 20 else f"{value:.0f} h"
