"""Early stopping of a spec -> Ray Tune scheduler; the resource is epochs."""

from __future__ import annotations

from typing import Any

from ray.tune.schedulers import ASHAScheduler, FIFOScheduler, MedianStoppingRule, TrialScheduler

from study.spec import ASHA, Median, Search


def make_scheduler(search: Search, epochs: int) -> TrialScheduler:
    """The scheduler that stops trials of a search early, or never."""
    common: dict[str, Any] = {"time_attr": "epoch", "metric": search.maximize, "mode": "max"}
    if isinstance(search.stop, ASHA):
        grace = min(search.stop.grace, epochs)
        return ASHAScheduler(
            max_t=epochs, grace_period=grace, reduction_factor=search.stop.reduction, **common
        )
    if isinstance(search.stop, Median):
        return MedianStoppingRule(
            grace_period=search.stop.grace, min_samples_required=search.stop.min_trials, **common
        )
    return FIFOScheduler()  # type: ignore[no-untyped-call]
