"""A sampler of the user's own: made anew for each trial, part of a search's name, refused with a state."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from optuna.samplers import BaseSampler, QMCSampler, RandomSampler, TPESampler

from study.errors import SpecError
from study.loading import load_space
from study.plan.plan import Plan
from study.plan.user_sampler import check_user_sampler
from study.search.samplers import make_sampler
from study.spec import KD, Data, LogFloat, Pair, Search, StudySpec, Training
from study.spec.sampler_factory import SamplerFactory
from tests.study.driving import Driven, keys
from tests.study.plan.test_golden_keys import plan_of
from trainables.config import ConfigError


def by_tpe(seed: int) -> BaseSampler:
    """One of Optuna's own, with settings that the study does not offer."""
    return TPESampler(seed=seed, n_startup_trials=2, n_ei_candidates=7)


def low_discrepancy(seed: int) -> BaseSampler:
    """Works from the study's attributes."""
    return QMCSampler(
        seed=seed, scramble=True, warn_independent_sampling=False, warn_asynchronous_seeding=False
    )


class Lowest(RandomSampler):
    """Keeps nothing: it takes the lower end of every range."""

    def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
        low = getattr(param_distribution, "low", None)
        return param_distribution.choices[0] if low is None else low


class Remembering(Lowest):
    """Keeps what it saw in itself."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.seen: list[int] = []

    def after_trial(self, study: Any, trial: Any, state: Any, values: Any) -> None:
        self.seen.append(trial.number)


def lowest(seed: int) -> BaseSampler:
    """Keeps nothing."""
    return Lowest(seed)


def remembering(seed: int) -> BaseSampler:
    """Keeps something."""
    return Remembering(seed)


def nothing(seed: int) -> Any:
    """Gives no sampler."""
    return None


def broken(seed: int) -> Any:
    """Fails."""
    raise OSError("no\nnetwork")


def plan(sampler: Any, **fields: Any) -> Plan:
    """A study whose learning rate is searched by ``sampler``."""
    spec = StudySpec(
        data=Data(name="cluttered_digits"),
        pairs=(Pair("resnet8", "resnet8"),),
        methods=(KD(),),
        training=Training(epochs=4, lr=LogFloat(0.01, 0.2)),
        search=Search(sampler=sampler, stop=None),
        name="made",
        **fields,
    )
    return plan_of(spec)


@pytest.mark.parametrize("function", [by_tpe, low_discrepancy, lowest])
def test_what_works_from_the_storage_is_taken(function: Any) -> None:
    check_user_sampler(SamplerFactory(function), 1)
    assert isinstance(make_sampler(plan(function).spec, 3), type(function(0)))


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        (remembering, "search.sampler: remembering gives a Remembering that keeps seen between trials"),
        (nothing, "search.sampler: nothing gives a NoneType, not an Optuna sampler"),
        (broken, "search.sampler: broken(0): OSError: no network"),
    ],
)
def test_what_does_not_is_refused(function: Any, complaint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        check_user_sampler(SamplerFactory(function), 1)
    assert str(refused.value).startswith(complaint)


def test_a_function_of_more_than_a_seed_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"it takes one argument, the seed"):
        Search(sampler=lambda: None)  # type: ignore[arg-type]


def test_it_is_part_of_the_searchs_name() -> None:
    names = {plan(sampler).search_name(plan(sampler).search_spaces[0]) for sampler in ("tpe", by_tpe, lowest)}
    assert len(names) == 3


def test_a_search_goes_on_with_the_draws_it_would_have_had(tmp_path: Path) -> None:
    made = plan(by_tpe)
    whole, cut = Driven(made, tmp_path / "whole"), Driven(made, tmp_path / "cut")
    first = [cut.ask("0")]
    cut.end("0", 1, 2, 3, 40)
    cut.close()
    again = Driven(made, tmp_path / "cut")
    values = [40.0, 30.0, 50.0]
    straight = []
    for number, value in enumerate(values):
        straight.append(whole.ask(str(number)))
        whole.end(str(number), 1, 2, 3, value)
    for number, value in enumerate(values[1:], 1):
        first.append(again.ask(str(number)))
        again.end(str(number), 1, 2, 3, value)
    assert keys(first) == keys(straight)


def test_the_text_counts_as_it_was_when_the_space_was_loaded(tmp_path: Path) -> None:
    file = tmp_path / "own.py"
    text = """from study.spec import *

def mine(seed):
    from optuna.samplers import RandomSampler
    return RandomSampler(seed=seed)

STUDY = StudySpec(
    data=Data(name="cluttered_digits"), pairs=(Pair("resnet8", "resnet8"),), methods=(KD(),),
    training=Training(lr=LogFloat(0.01, 0.2)), search=Search(sampler=mine),
)
"""
    file.write_text(text)
    spec = load_space(file)
    file.write_text(text.replace("seed=seed", "seed=seed + 1"))
    assert dataclasses.replace(spec).search == spec.search
    assert load_space(file).search.sampler != spec.search.sampler
    file.write_text(text.replace("def mine(seed)", "def mine()"))
    with pytest.raises(SpecError, match=r"search: mine: it takes one argument, the seed"):
        load_space(file)
