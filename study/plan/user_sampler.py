"""Makes samplers of the user's own by the function of a space file, and checks that a study can use them.

A study makes its sampler anew for each trial, so that a search which is killed goes on as it would have. A
sampler that works from what Optuna's storage holds notices nothing of it; one that keeps what it has seen in
itself would start from nothing each time, and is refused.
"""

from __future__ import annotations

import pickle
import warnings
from typing import TYPE_CHECKING, Any

from study.spec.sampler_factory import SamplerFactory
from trainables.config.serialization import ConfigError

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler

TRIALS = 3
"""Trials of the little study that is searched to see what a sampler keeps."""


def make_user_sampler(factory: SamplerFactory, seed: int) -> BaseSampler:
    """Call the function of a space file.

    Raises:
        ConfigError: it fails, or gives no sampler.
    """
    from optuna.samplers import BaseSampler

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = factory.function(seed)
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(f"search.sampler: {factory.name}({seed}): {said}") from None
    if not isinstance(made, BaseSampler):
        what = type(made).__name__
        raise ConfigError(f"search.sampler: {factory.name} gives a {what}, not an Optuna sampler")
    return made


def check_user_sampler(factory: SamplerFactory, objectives: int) -> None:
    """Raise :class:`ConfigError` for a sampler that fails, or that keeps something between trials.

    Optuna's own samplers keep nothing but what they can work out again from its storage.
    """
    sampler = make_user_sampler(factory, 0)
    if type(sampler).__module__.startswith("optuna."):
        return
    before = _kept(sampler)
    try:
        _search_a_little(sampler, objectives)
    except Exception as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())
        raise ConfigError(f"search.sampler: {factory.name}: {said}") from None
    after = _kept(sampler)
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    if changed:
        what = (
            f"{factory.name} gives a {type(sampler).__name__} that keeps {', '.join(changed)} between trials"
        )
        raise ConfigError(
            f"search.sampler: {what}, and a study makes its sampler anew for each; "
            "let it keep that in the Optuna study"
        )


def _search_a_little(sampler: BaseSampler, objectives: int) -> None:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    more = [optuna.study.StudyDirection.MINIMIZE] * (objectives - 1)
    study = optuna.create_study(sampler=sampler, directions=["maximize", *more])
    for number in range(TRIALS):
        trial = study.ask()
        trial.suggest_float("lr", 0.01, 1, log=True)
        trial.suggest_int("warmup_epochs", 0, 20)
        trial.suggest_categorical("base", ["kd", "dkd"])
        study.tell(trial, [float(number)] * objectives)


def _kept(sampler: BaseSampler) -> dict[str, bytes]:
    """Return what a sampler holds, by attribute, but for random numbers and what Optuna's classes cache."""
    held = {name: value for name, value in vars(sampler).items() if not _passed_over(value)}
    return {name: _frozen(value) for name, value in held.items()}


def _passed_over(value: Any) -> bool:
    return type(value).__module__.startswith(("numpy.random", "random", "optuna."))


def _frozen(value: Any) -> bytes:
    try:
        return pickle.dumps(value)
    except Exception:
        return repr(value).encode()
