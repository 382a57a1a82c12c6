"""Chooses which finished trials of searches count and are shown."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from study.results.frames import RunFrames
from study.results.trial_settings import settings_hash


def searched(runs: RunFrames) -> pd.DataFrame:
    """Return the search's trials that reached their last epoch, with ``value``, what it maximised, in %."""
    trials = _valued(runs)
    return trials[(trials["stage"] == "search") & (trials["status"] == "done")]


def winners(runs: RunFrames) -> dict[tuple[str, str], int]:
    """Return the rows of whole search trials by pair and by the settings that their confirming runs have."""
    values = runs.curves.last(runs.metric)
    found: dict[tuple[str, str], int] = {}
    for number, (trial, config) in enumerate(zip(runs.trials.to_dict("records"), runs.configs, strict=True)):
        if (trial["stage"], trial["status"]) == ("search", "done") and values[number] == values[number]:
            found[trial["pair"], settings_hash({**config, "fit": "all"})] = number
    return found


def search_groups(runs: RunFrames) -> list[str]:
    """List pair and method of the search's trials; the position here is the colour, in each chart of them."""
    trials = _valued(runs)
    return groups_of(list(trials.loc[trials["stage"] == "search", "group"]))


def _valued(runs: RunFrames) -> pd.DataFrame:
    trials = runs.trials.assign(value=runs.curves.last(runs.metric))
    trials["group"] = trials["pair"] + " " + trials["method"]
    return trials[trials["value"].notna() & trials["status"].isin(["done", "stopped"])]


def fewer(trials: pd.DataFrame, most: int) -> pd.DataFrame:
    """Keep ``most`` trials: the best by ``value``, and the others evenly over the study."""
    if len(trials) <= most:
        return trials
    best = trials["value"].idxmax()
    others = trials.drop(index=best).iloc[np.linspace(0, len(trials) - 2, most - 1).astype(int)]
    return trials.loc[sorted([best, *others.index])]


def groups_of(names: Sequence[str]) -> list[str]:
    """List each name once, sorted."""
    return sorted(set(names))
