"""Trial keys and names of searches stay as they are: finished trials are filed under them.

``tests/data/trial_keys.json`` was written before fields, files and classes were moved, and is not written
anew: a change that gives an old configuration another key loses every finished run of every user. Entries are
written again only where what is trained has become something else, as docs/fidelity.md tells: all of
cub_pairs (the released code's networks and training), cifar_pairs/resnet32x4-MobileNetV2/3 (DKD's beta of 6),
imagenet/*/1 (KD at temperature 1) and features/wrn_40_2-vgg8/2 and /3 (FitNet and AT on the released maps).
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from study.plan.plan import Plan
from study.plan.precision import decided
from study.spec import StudySpec
from study.spec.training import closed
from trainables.config import Teacher

GOLDEN: dict[str, str] = json.loads((Path(__file__).parents[2] / "data" / "trial_keys.json").read_text())
SPACES = ("cifar_pairs", "cub_pairs", "features", "imagenet", "quickstart", "tiny_imagenet")


class Drawn:
    """A trial that draws its answers, the same ones from the same seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.params: dict[str, Any] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        self.params[name] = round(low + self._random.random() * (high - low), 6)
        return float(self.params[name])

    def suggest_int(self, name: str, low: int, high: int, *, step: int = 1, log: bool = False) -> int:
        self.params[name] = self._random.randint(low, high)
        return int(self.params[name])

    def suggest_categorical(self, name: str, choices: list[str]) -> str:
        self.params[name] = self._random.choice(choices)
        return str(self.params[name])


def plan_of(spec: StudySpec) -> Plan:
    """The plan of ``spec`` on data that need not be there."""
    data = dataclasses.replace(closed(spec.data), root=None, fingerprint="0" * 16)
    raw: Any = None
    return Plan(decided(spec, "float32"), data, raw, "float32")


def keys(name: str) -> Iterator[tuple[str, str]]:
    """(what, key) for fixed methods, drawn points and confirming runs of a shipped space."""
    module = "tests.study.plan.first_quickstart" if name == "quickstart" else f"search_spaces.{name}"
    spec: StudySpec = importlib.import_module(module).STUDY
    plan = plan_of(dataclasses.replace(spec, name=name))
    teacher = Teacher(name=plan.spec.pairs[0].teacher, weights="a" * 64)
    pairs = plan.spec.pairs[:2]
    for pair in pairs:
        yield f"{name}/{pair.label}/teacher", plan.teacher_trial(pair).key
        for number, method in enumerate(plan.spec.methods[:4]):
            config = plan.fixed_config(pair, method, teacher)
            yield f"{name}/{pair.label}/{number}", config.trial_key
    for space in plan.search_spaces[:2]:
        yield f"{name}/{space.label}/search", plan.search_name(space)
        for seed in range(2):
            pair, method = space.suggest(Drawn(seed))
            planned = plan.search_trial(space, pair, method, teacher)
            yield f"{name}/{space.label}/point {seed}", planned.key
            confirming = plan.confirm_trials(planned.config, pair.label, "best")
            yield f"{name}/{space.label}/confirm {seed}", confirming[0].key


def test_at_least_fifty_are_held() -> None:
    assert len(GOLDEN) >= 50


@pytest.mark.parametrize("name", SPACES)
def test_keys_are_as_they_were(name: str) -> None:
    found = dict(keys(name))
    assert found == {what: key for what, key in GOLDEN.items() if what.startswith(f"{name}/")}
