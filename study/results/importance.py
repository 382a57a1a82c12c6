"""Which settings of a search mattered: Optuna's evaluators over the finished trials of a study.

Made from the trials' configurations, not from Optuna's storage, so that a report from MLflow has it too.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import pandas as pd

from study.results.frames import RunFrames
from study.results.selection import fewer, searched

COLUMNS = ["study", "parameter", "importance", "trials"]
"""``importance``: share of the variance of the accuracy that the parameter explains; they add up to 1.
``trials``: finished trials it was computed from."""

FEWEST = 4
MOST_TRIALS = 200
TREES = 32
"""Of fANOVA's forest, half of Optuna's default: shares differ by less than from seed to seed, a hundredth."""


EVALUATORS = ("fanova", "ped_anova")
"""``fanova`` (Hutter 2014): of the variance over the whole space. ``ped_anova`` (Watanabe 2023): of the
difference between the best trials and all."""


def importances(runs: RunFrames, evaluator: str = EVALUATORS[0]) -> pd.DataFrame:
    """Importance of each setting that the trials of a study differ in, highest first.

    Settings that not every trial has, such as the options of one base loss, are left out, as Optuna does.
    """
    rows: list[dict[str, Any]] = []
    for study, trials in searched(runs).groupby("study", sort=False):
        shown = fewer(trials, MOST_TRIALS)
        settings = [
            {"pair": trial["pair"], **flatten(runs.configs[int(str(number))]["method"])}
            for number, trial in shown.iterrows()
        ]
        found = _evaluated(settings, shown["value"].tolist(), evaluator)
        rows += [
            {"study": study, "parameter": name, "importance": share, "trials": len(shown)}
            for name, share in found.items()
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def flatten(value: Any, prefix: str = "") -> dict[str, float | str]:
    """``{"logit": {"alpha": 0.9, "scales": [1, 2]}}`` -> ``{"logit.alpha": 0.9, "logit.scales": "1,2"}``."""
    if isinstance(value, Mapping):
        parts = [flatten(item, f"{prefix}.{name}" if prefix else name) for name, item in value.items()]
        return {name: item for part in parts for name, item in part.items()}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {prefix: float(value)}
    return {prefix: ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)}


def _evaluated(
    settings: list[dict[str, float | str]], values: list[float], evaluator: str
) -> dict[str, float]:
    shared = [name for name in settings[0] if all(name in each for each in settings)] if settings else []
    differing = [name for name in shared if len({each[name] for each in settings}) > 1]
    if len(settings) < FEWEST or not differing or len(set(values)) < 2:
        return {}
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    spaces = {name: _distribution(optuna, [each[name] for each in settings]) for name in differing}
    search = optuna.create_study(direction="maximize")
    for each, value in zip(settings, values, strict=True):
        params = {name: each[name] for name in differing}
        search.add_trial(optuna.trial.create_trial(params=params, distributions=spaces, value=value))
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
    return optuna.distributions.CategoricalDistribution(sorted(set(map(str, values))))
