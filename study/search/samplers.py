"""Makes the Optuna sampler that a spec names, anew for each trial.

A sampler keeps nothing from trial to trial: its random numbers come from the search's seed and the number of
the trial, what it knows from Optuna's storage. So a search that is killed goes on with the numbers it would
have drawn. Random search and the grid look at nothing else, and give the same trials as if undisturbed; TPE,
GP, CMA-ES and NSGA-II look at the results there are by then, and after a crash other trials may have ended.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable

import optuna
from optuna.samplers import (
    BaseSampler,
    CmaEsSampler,
    GPSampler,
    NSGAIISampler,
    RandomSampler,
    TPESampler,
)

from study.plan.user_sampler import make_user_sampler
from study.spec.sampler_factory import SamplerFactory
from study.spec.study import StudySpec


def make_sampler(spec: StudySpec, place: int, attempt: int = 0, plain: bool = False) -> BaseSampler:
    """Make the sampler that draws trial number ``place`` (counted from 0) of a search.

    Args:
        attempt: how often the draw was one that is known already; another is made each time.
        plain: draw at random, whatever the sampler of the spec.
    """
    digest = hashlib.sha256(f"{spec.search.seed}/{place}/{attempt}".encode()).digest()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        seed, chosen = int.from_bytes(digest[:4], "big") >> 1, "random" if plain else spec.search.sampler
        if isinstance(chosen, SamplerFactory):
            return make_user_sampler(chosen, seed)
        return SAMPLERS[chosen](seed, startup_trials(spec))


def startup_trials(spec: StudySpec) -> int:
    """Count the trials to draw at random before a model of the results is trusted: a quarter, 4 to 10."""
    return max(4, min(10, spec.budget.trials // 4))


def _tpe(seed: int, startup: int) -> BaseSampler:
    return TPESampler(multivariate=True, group=True, constant_liar=True, seed=seed, n_startup_trials=startup)


def _cmaes(seed: int, startup: int) -> BaseSampler:
    """Draw numbers by CMA-ES; it has no notion of categories, which are drawn at random."""
    return CmaEsSampler(seed=seed, n_startup_trials=startup, warn_independent_sampling=False)


def _gp(seed: int, startup: int) -> BaseSampler:
    return GPSampler(seed=seed, n_startup_trials=startup, deterministic_objective=False)


def _nsga2(seed: int, startup: int) -> BaseSampler:
    return NSGAIISampler(seed=seed, population_size=max(4, startup * 2))


SAMPLERS: dict[str, Callable[[int, int], BaseSampler]] = {
    "tpe": _tpe,
    "random": lambda seed, startup: RandomSampler(seed=seed),
    "grid": lambda seed, startup: RandomSampler(seed=seed),  # its points are queued; nothing is drawn
    "cmaes": _cmaes,
    "gp": _gp,
    "nsga2": _nsga2,
}
"""Makers of samplers by the name in ``Search.sampler``: (seed, trials at random first) -> sampler."""
