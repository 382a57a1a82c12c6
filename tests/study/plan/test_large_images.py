"""A plan says in each key whether CUB-200's networks are those of the released code."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from search_spaces.cub_pairs import STUDY as CUB
from search_spaces.imagenet import STUDY as IMAGENET
from search_spaces.tiny_imagenet import STUDY as TINY
from study.plan.plan import Plan
from study.plan.precision import decided
from study.spec import KD, SDD, Choice, Data, Pair, StudySpec, Supervised
from trainables.config import Teacher, TrialConfig

TEACHER = Teacher(name="vgg13", weights="a" * 64)
RELEASED = "released"


def plan_of(spec: StudySpec) -> Plan:
    """The plan of ``spec`` on data that need not be there."""
    raw: Any = None
    data = dataclasses.replace(spec.data, root=None, fingerprint="0" * 16)
    return Plan(decided(spec, "float32"), data, raw, "float32")


def configs(plan: Plan) -> list[TrialConfig]:
    """What the plan trains: teachers, measured teachers, students with and without a teacher."""
    found = []
    for pair in plan.spec.pairs:
        found += [plan.teacher_trial(pair).config, plan.given_teacher_trial(TEACHER).config]
        found += [plan.fixed_config(pair, method, TEACHER) for method in plan.spec.methods]
    return found


def test_cub_trains_the_released_networks() -> None:
    assert {config.large_images for config in configs(plan_of(CUB))} == {RELEASED}


@pytest.mark.parametrize("spec", [IMAGENET, TINY], ids=["imagenet", "tiny_imagenet"])
def test_other_data_keep_theirs(spec: StudySpec) -> None:
    assert {config.large_images for config in configs(plan_of(spec))} == {"pooled"}


def test_networks_without_two_forms_keep_their_keys() -> None:
    data = Data(name="cub200", root="data")
    own = Pair("torchvision:resnet34", "torchvision:resnet18")
    mixed = Pair("torchvision:resnet34", "resnet8x4")
    plan = plan_of(StudySpec(data=data, pairs=(own, mixed), methods=(Supervised(), KD())))
    forms = {
        pair.label: [plan.fixed_config(pair, method, TEACHER).large_images for method in plan.spec.methods]
        for pair in plan.spec.pairs
    }
    assert forms == {own.label: ["pooled", "pooled"], mixed.label: [RELEASED, RELEASED]}
    assert plan.teacher_trial(mixed).config.large_images == "pooled"


def test_the_form_is_in_the_key() -> None:
    config = plan_of(CUB).fixed_config(CUB.pairs[0], KD(), TEACHER)
    assert config.trial_key != dataclasses.replace(config, large_images="pooled").trial_key
    assert TrialConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize("weights", [None, "file.pth"])
def test_the_form_is_in_the_name_of_the_search(weights: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the teacher's weights are given, so that no key of a trained teacher tells it."""
    pair = Pair("torchvision:resnet34", "resnet8x4", weights=weights)
    method = SDD(scales=Choice((1, 2), (1, 2, 4)))
    plan = plan_of(StudySpec(data=CUB.data, pairs=(pair,), methods=(method,)))
    (space,) = plan.search_spaces
    monkeypatch.setattr(Plan, "large_images", lambda *_: "pooled")
    assert plan.search_spaces[0].fingerprint != space.fingerprint
