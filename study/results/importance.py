"""Tells which settings of a search mattered, by Optuna's evaluators over a study's finished trials.

Made from the trials' configurations, not from Optuna's storage, so that a report from MLflow has it too.
"""

from __future__ import annotations

import warnings
from collections.abc import Collection
from typing import Any

import pandas as pd

from study.results.frames import RunFrames
from study.results.selection import fewer, searched
from study.spec.domains import label
from study.spec.settings import settings_of

COLUMNS = ["study", "parameter", "importance", "trials", "measure"]
"""``importance``: what the parameter explains, by ``measure``; over a study they add up to 1. ``trials``:
finished trials it was computed from."""

FEWEST = 4
MOST_TRIALS = 200
TREES = 32
"""Trees of fANOVA's forest, half of Optuna's default: shares differ by a hundredth, less than by the seed."""

EVALUATORS = ("fanova", "ped_anova")
"""``fanova`` (Hutter 2014): of the variance over the whole space, by what every trial has. ``ped_anova``
(Watanabe 2023): of the difference between the best trials and all, by what only some trials have too."""


def importances(runs: RunFrames, evaluator: str | None = None) -> pd.DataFrame:
    """Return the importance of each setting that the trials of a study differ in, highest first.

    Settings have the names that the search has for them.

    Args:
        evaluator: one of :data:`EVALUATORS`; None takes fANOVA where every trial has every setting, else
            PED-ANOVA, which takes conditional ones too (options of one base loss, milestones of a schedule).
    """
    rows: list[dict[str, Any]] = []
    for study, trials in searched(runs).groupby("study", sort=False):
        shown = fewer(trials, MOST_TRIALS)
        names = {name for text in shown["searched"] for name in text.split()}
        settings = [_settings(runs, int(str(number)), names) for number in shown.index]
        conditional = any(each.keys() != settings[0].keys() for each in settings)
        measure = evaluator or EVALUATORS[conditional]
        found = _evaluated(settings, shown["value"].tolist(), measure)
        rows += [
            {"study": study, "parameter": name, "importance": share, "trials": len(shown), "measure": measure}
            for name, share in found.items()
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def _settings(runs: RunFrames, number: int, names: Collection[str]) -> dict[str, float | str]:
    """Return what a trial was given: of ``names`` what it was asked for; without names, all there is."""
    trial = runs.trials.loc[number]
    known = settings_of(runs.configs[number])
    if names:
        asked = str(trial["searched"]).split()
        known = {name: known.get(name, trial.get(name)) for name in names if name in asked}
    pair = {"pair": str(trial["pair"])}
    return {**pair, **{name: _plain(value) for name, value in known.items()}}


def _plain(value: Any) -> float | str:
    """Return a number as such, all else as the text that tables have."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return float(value)
    return label(tuple(value) if isinstance(value, list) else value)


def _evaluated(
    settings: list[dict[str, float | str]], values: list[float], evaluator: str
) -> dict[str, float]:
    names = list(dict.fromkeys(name for each in settings for name in each))
    if evaluator == "fanova":  # it takes what every trial has
        names = [name for name in names if all(name in each for each in settings)]
    differing = [name for name in names if len({each[name] for each in settings if name in each}) > 1]
    if len(settings) < FEWEST or not differing or len(set(values)) < 2:
        return {}
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    numbers = {
        name for name in differing if all(isinstance(each[name], float) for each in settings if name in each)
    }
    told = [
        {name: each[name] if name in numbers else str(each[name]) for name in differing if name in each}
        for each in settings
    ]
    spaces = {
        name: _distribution(optuna, [each[name] for each in told if name in each]) for name in differing
    }
    search = optuna.create_study(direction="maximize")
    for params, value in zip(told, values, strict=True):
        domains = {name: spaces[name] for name in params}
        search.add_trial(optuna.trial.create_trial(params=params, distributions=domains, value=value))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kinds: dict[str, Any] = {
            "fanova": lambda: optuna.importance.FanovaImportanceEvaluator(n_trees=TREES, seed=0),
            "ped_anova": optuna.importance.PedAnovaImportanceEvaluator,
        }
        return dict(optuna.importance.get_param_importances(search, evaluator=kinds[evaluator]()))


def _distribution(optuna: Any, values: list[float | str]) -> Any:
    if all(isinstance(value, float) for value in values):
        return optuna.distributions.FloatDistribution(min(values), max(values))
    return optuna.distributions.CategoricalDistribution(sorted({str(value) for value in values}))
