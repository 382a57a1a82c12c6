"""Grids: every point once, conditional domains included; what is not finite is named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.storages import InMemoryStorage

from study.errors import SpecError
from study.loading import load_space
from study.plan.resolve import resolve
from study.spec.domains import Choice, Float, Int
from study.spec.grid import points
from study.spec.methods import SDD
from tests.study.driving import Driven
from trainables.config import ConfigError

Write = Callable[..., Path]


def test_every_point_once_and_options_of_a_base_only_with_it() -> None:
    method = SDD(
        base=Choice("kd", "dkd"),
        options={"dkd": {"beta": Choice(2.0, 8.0)}},
        beta=Float(1, 2, step=0.5),
        warmup_epochs=Int(0, 1),
    )
    found = list(points(method.suggest))
    assert len(found) == len({tuple(sorted(point.items())) for point in found}) == 2 * 3 * (1 + 2)
    assert [point for point in found if point["base"] == "kd"][:2] == [
        {"base": "kd", "beta": 1.0, "warmup_epochs": 0},
        {"base": "kd", "beta": 1.0, "warmup_epochs": 1},
    ]
    assert all(("dkd.beta" in point) == (point["base"] == "dkd") for point in found)
    assert {point["beta"] for point in found} == {1.0, 1.5, 2.0}


def test_the_search_is_the_grid_and_the_papers_configuration(space: Write, tmp_path: Path) -> None:
    file = space(**{"LogFloat(0.25, 4)": "Choice(0.5, 2.0)"})
    plan = resolve(load_space(file, ["budget.trials=100", "search.sampler=grid", "search.stop=None"]))
    driven = Driven(plan, tmp_path, InMemoryStorage())
    # two pairs, two bases, two alphas, two scale sets; the paper's alpha 0.9 is not among them
    assert driven.search.left() == 16
    asked = 0
    while driven.ask(str(asked)) is not None:
        driven.end(str(asked), 1.0, 2.0)
        asked += 1
    assert asked == 16
    assert len(driven.journal.records) == 16
    assert driven.search.ended() == {"pairs/SDD": "all of the grid is known after 16 trials"}


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        ([], r"methods.1.alpha: a grid needs finite domains; write Float\(low, high, step=...\) or a Choice"),
        (["methods.1.alpha=0.5", "methods.1.options={'dkd': {'beta': 'x'}}"], r"methods.1.base: dkd"),
    ],
)
def test_a_domain_that_is_not_finite_is_named(space: Write, overrides: list[str], part: str) -> None:
    with pytest.raises(SpecError, match=part):
        load_space(space(), ["search.sampler=grid", *overrides])


def test_a_conditional_domain_that_is_not_finite_is_named(space: Write) -> None:
    more = {"alpha=LogFloat(0.25, 4)": "alpha=Float(1, 2, step=0.5), options={'dkd': {'beta': Float(2, 8)}}"}
    with pytest.raises(SpecError, match=r"methods.1.dkd.beta: a grid needs finite domains"):
        load_space(space(**more), ["search.sampler=grid"])


@pytest.mark.parametrize(
    ("wrong", "part"),
    [
        ({"step": 0}, "step 0 is not above 0"),
        ({"step": 3}, "range 1 to 8 is no multiple of step 3"),
        ({"step": 1, "log": True}, "a logarithmic range has no step"),
        ({"step": "a"}, "step 'a' is not above 0"),
    ],
)
def test_a_wrong_step_is_refused(wrong: dict[str, object], part: str) -> None:
    with pytest.raises(ConfigError, match=part):
        Float(1, 8, **wrong)  # type: ignore[arg-type]


def test_a_step_says_what_is_inside() -> None:
    domain = Float(0, 1, step=0.1)
    assert domain.stored(0.3) == 0.3
    assert domain.stored(0.35) is None
    assert domain.stored(1.0) == 1.0
