"""Follows how the front of a search with several objectives grew, and who kept within its limits."""

from __future__ import annotations

from typing import Any

import pandas as pd

from study.results.frames import RunFrames
from study.search.pareto_stopping import hypervolumes

HYPERVOLUME_COLUMNS = ["study", "search", "trial", "trial_key", "hypervolume"]
"""Columns of ``hypervolume.csv``: the volume after each whole trial of a search, in the order they ended."""
LIMIT_COLUMNS = ["study", "pair", "limited", "most", "of the student", "trials", "within"]
"""Columns of ``limits.csv``: a limit, what the pair's student has of it, trials, those known to be within."""


def hypervolume_frame(runs: RunFrames) -> pd.DataFrame:
    """Return how the volume that the trials dominate grew; no row for searches with one objective."""
    rows = []
    for (study, search), trials in _searches(runs):
        objectives = runs.goals[study].objectives
        if len(objectives.names) == 1:
            continue
        done = trials[trials["status"] == "done"].sort_values("ended", kind="stable")
        losses = [objectives.losses(_last(runs, number), pair) for number, pair in done["pair"].items()]
        known = [(key, each) for key, each in zip(done["trial_key"], losses, strict=True) if each]
        volumes = hypervolumes([each for _, each in known])
        for number, ((key, _), volume) in enumerate(zip(known, volumes, strict=True), 1):
            rows.append((study, search, number, key, volume))
    return pd.DataFrame(rows, columns=HYPERVOLUME_COLUMNS)


def limits_frame(runs: RunFrames) -> pd.DataFrame:
    """Return which pairs and trials were within ``Search.subject_to``; no row where nothing is limited."""
    rows = []
    for study, goals in runs.goals.items():
        objectives = goals.objectives
        mine = runs.trials[(runs.trials["study"] == study) & (runs.trials["stage"] == "search")]
        pairs = dict.fromkeys([*objectives.costs, *mine["pair"]]) if objectives.limits else {}
        for pair in pairs:
            trials = mine[mine["pair"] == pair]
            over = [objectives.constraints(_last(runs, number), pair) for number in trials.index]
            for name, most in objectives.limits.items():
                cost = objectives.costs.get(pair, {}).get(name)
                within = sum(each[name] <= 0 for each in over if name in each)
                rows.append((study, pair, name, most, cost, len(trials), within))
    return pd.DataFrame(rows, columns=LIMIT_COLUMNS)


def _searches(runs: RunFrames) -> list[tuple[tuple[str, str], pd.DataFrame]]:
    """Return the trials of each search of each study, in the order in which they began."""
    searched = runs.trials[runs.trials["stage"] == "search"]
    found = searched.groupby(["study", "search"], sort=False)
    return [((str(study), str(search)), trials) for (study, search), trials in found]


def _last(runs: RunFrames, number: Any) -> dict[str, float]:
    """Return the objectives and limited metrics of a trial after its last epoch, where they were measured."""
    study = str(runs.trials.at[number, "study"])
    curves = {name: runs.curves.of(number, name) for name in runs.goals[study].metrics}
    return {name: float(of[-1]) for name, of in curves.items() if len(of) and of[-1] == of[-1]}
