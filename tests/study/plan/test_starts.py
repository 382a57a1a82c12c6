"""Published weights in a space: a teacher's by name, the start of trainings, in keys, filed first."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.stages.teachers import _warn_other_pixels, train_teachers
from tests.trainables.models.standing_in import cut_off, timm_file, torchvision_file
from trainables.config import ConfigError, Teacher
from trainables.data.raw import RawData
from trainables.models.published import PublishedWeights, published_sha256
from trainables.models.weights import load_published, state_sha256
from trainables.storage.run_store import RunStore

SPACE = """
from study.spec import *

STUDY = StudySpec(
    data=Data(name="cluttered_digits", options={"scenes": 100, "test": 100}),
    pairs=(Pair("torchvision:resnet18", "timm:test_vit"),),
    methods=(KD(),),
    training=Training(epochs=2, init=Choice("random", "published")),
    teacher_training=Training(epochs=2, init="published"),
)
"""


@pytest.fixture
def planned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Plan]:
    pytest.importorskip("timm")
    cut_off(monkeypatch, tmp_path)
    published_sha256.cache_clear()
    file = tmp_path / "space.py"
    file.write_text(SPACE)
    return lambda *changes: resolve(load_space(file, changes))


def test_what_trainings_start_from_is_in_their_keys(planned: Callable[..., Plan], tmp_path: Path) -> None:
    vit, resnet = timm_file(tmp_path), torchvision_file(tmp_path)
    plan = planned()
    hashes = {"torchvision:resnet18": state_sha256(resnet), "timm:test_vit": state_sha256(vit)}
    assert plan.published == hashes
    (pair,) = plan.spec.pairs
    assert plan.teacher_trial(pair).config.initial == hashes["torchvision:resnet18"]
    (space,) = plan.search_spaces
    teacher = Teacher(name="torchvision:resnet18", weights="0" * 64)
    begun = {
        config.training.init: config.initial
        for values in ("random", "published")
        for config in [plan.search_trial(space, pair, _with(space, values), teacher).config]
    }
    assert begun == {"random": None, "published": hashes["timm:test_vit"]}


def _with(space: Any, init: str) -> Any:
    pair = space.pairs[0]
    return dataclasses.replace(space.at_paper(pair), training={"init": init})


def test_they_are_filed_before_anything_trains(planned: Callable[..., Plan], tmp_path: Path) -> None:
    vit = timm_file(tmp_path)
    torchvision_file(tmp_path)
    plan, store = planned(), RunStore(tmp_path / "store")
    context = SimpleNamespace(plan=plan, folder=SimpleNamespace(store=store), recorder=None)
    with pytest.raises(AttributeError):  # nothing runs without a recorder
        list(train_teachers(cast(Any, context)))
    assert state_sha256(load_published(store.teacher(plan.published["timm:test_vit"]))) == state_sha256(vit)
    assert {about["name"] for about in store.teachers()} == {"torchvision:resnet18", "timm:test_vit"}


def test_weights_that_cannot_be_fetched_are_one_line_before_anything_runs(
    planned: Callable[..., Plan], tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"pairs\.0\.teacher: published weights of torchvision:resnet18"):
        planned()
    timm_file(tmp_path)
    random = ("training.init=random", "teacher_training.init=random")
    with pytest.raises(ConfigError, match=r"pairs\.0\.weights: .* fetch https://download\.pytorch\.org"):
        planned(*random, "pairs.0.weights=published")
    torchvision_file(tmp_path)
    with pytest.raises(ConfigError, match=r"pairs\.0\.weights: .* for 1000 classes, the data has 10"):
        planned(*random, "pairs.0.weights=published")


def test_pixels_normalised_otherwise_are_told(caplog: pytest.LogCaptureFixture) -> None:
    half = (0.5, 0.5, 0.5)
    found = PublishedWeights({}, 1000, "somewhere", half, half)
    with caplog.at_level(logging.WARNING):
        _warn_other_pixels(cast(RawData, SimpleNamespace(mean=half, std=half)), found, "timm:x")
        assert not caplog.records
        other = SimpleNamespace(mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
        _warn_other_pixels(cast(RawData, other), found, "timm:x")
    assert "timm:x was trained on pixels normalised by mean and std 0.500" in caplog.text
