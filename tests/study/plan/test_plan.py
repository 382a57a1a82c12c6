"""Resolving a spec: keys that depend on what matters and on nothing else."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from study.loading import load_space
from study.plan.checks import check_augmentation
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.spec.distillation import Distillation
from trainables.config import ConfigError, Teacher
from trainables.data.raw import CropFlipViews, StreamedViews

Write = Callable[..., Path]
TEACHER = Teacher(name="resnet8", weights="0" * 64)


def plan(file: Path, *overrides: str) -> Plan:
    return resolve(load_space(file, overrides))


def packed(path: Path, fill: int = 0) -> Path:
    rng = np.random.default_rng(fill)
    arrays = {
        f"{part}_{kind}": value
        for part in ("train", "test")
        for kind, value in (
            ("images", rng.integers(0, 255, (60, 32, 32, 3), dtype=np.uint8)),
            ("labels", np.arange(60, dtype=np.int64) % 3),
        )
    }
    np.savez(path, **arrays, classes=np.array(["a", "b", "c"]))
    return path


def test_the_same_space_gives_the_same_keys(space: Write) -> None:
    first, again = plan(space()), plan(space())
    assert first.teacher_trial(first.spec.pairs[0]).key == again.teacher_trial(again.spec.pairs[0]).key


def test_a_key_depends_on_the_data_and_not_on_where_they_are(space: Write, tmp_path: Path) -> None:
    def key(root: Path) -> str:
        found = plan(space(), "data.name=packed", f"data.root={str(root)!r}", "data.options={}")
        return found.teacher_trial(found.spec.pairs[0]).key

    (tmp_path / "elsewhere").mkdir()
    here = key(packed(tmp_path / "a.npz"))
    assert here == key(packed(tmp_path / "elsewhere" / "b.npz"))
    assert here != key(packed(tmp_path / "c.npz", fill=1))


@pytest.mark.parametrize("override", ["training.lr=0.06", "search.seed=1", "data.split_seed=1"])
def test_what_decides_a_result_changes_the_key(space: Write, override: str) -> None:
    def key(*overrides: str) -> str:
        found = plan(space(), *overrides)
        return found.search_trial(
            found.search_spaces[0], found.spec.pairs[0], found.spec.methods[0], TEACHER
        ).key

    assert key() != key(override)
    assert key() == key("budget.trials=9", "confirm.seeds=7", "resources.cpus_per_trial=2")


def test_confirmed_runs_use_all_of_train_and_read_the_test_split_once(space: Write) -> None:
    found = plan(space())
    config = found.fixed_config(found.spec.pairs[0], found.spec.methods[1], TEACHER)
    assert (config.fit, config.test) == ("train", "never")
    planned_trials = found.confirm_trials(config, "p", "best")
    assert [(j.config.fit, j.config.test, j.config.seed) for j in planned_trials] == [
        ("all", "end", 1),
        ("all", "end", 2),
    ]


def test_the_papers_configuration_is_known_as_such(space: Write) -> None:
    found = plan(space())
    searched, pair = found.search_spaces[0], found.spec.pairs[0]
    method = searched.method
    assert isinstance(method, Distillation)
    paper = found.fixed_config(pair, method, TEACHER)
    assert paper.method.logit is not None
    assert (paper.method.logit.scales, paper.method.logit.complementary_weight) == ((1, 2, 4), 2.0)
    assert (
        found.search_trial(
            searched,
            pair,
            method.with_values({"base": "kd", "alpha": paper.method.logit.alpha, "scales": (1, 2, 4)}),
            TEACHER,
        ).role
        == "paper"
    )
    assert (
        found.search_trial(
            searched, pair, method.with_values({"base": "kd", "alpha": 0.5, "scales": (1, 2, 4)}), TEACHER
        ).role
        == ""
    )


def test_each_pair_gets_an_arm_of_its_own_where_asked(space: Write) -> None:
    assert [space.label for space in plan(space()).search_spaces] == ["pairs/SDD"]
    labels = [space.label for space in plan(space(), "search.pairs=each").search_spaces]
    assert labels == ["resnet8-wrn_10_1/SDD", "resnet8-resnet8/SDD"]


@pytest.mark.parametrize(
    ("overrides", "part"),
    [
        (["methods.1.scales=(1, 32)"], r"methods.1.scales: 32 does not fit the 8x8 map of resnet8"),
        (["data.name=packed", "data.options={}", "data.root=nowhere.npz"], "data.root: .*nowhere.npz"),
        (["pairs.0.student=torchvision:inception_v3"], "pairs.0.student: .*inception_v3"),
        (
            ["methods.0.features=({'name': 'rkd'},)", "resources.workers_per_trial=2"],
            "resources.workers_per_trial: rkd compares the images of a batch with each other",
        ),
        (
            ["methods.0.base=dist", "resources.workers_per_trial=2"],
            "resources.workers_per_trial: dist compares the images of a batch with each other",
        ),
        (
            ["resources.workers_per_trial=20"],
            "resources.workers_per_trial: the last batch of an epoch of 80 images has 16, too few for 20",
        ),
        (
            ["training.batch_norm_parts=2", "resources.workers_per_trial=4"],
            "resources.workers_per_trial: 4 cannot share batch_norm_parts=2 of a batch evenly",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_field(space: Write, overrides: list[str], part: str) -> None:
    with pytest.raises((ConfigError, Exception), match=part):
        plan(space(), *overrides)


@pytest.mark.parametrize(
    ("augmentation", "strength", "complaint"),
    [
        (
            StreamedViews(),
            "Float(0, 1.5)",
            r"data.augment_strength: 1.5 is above 1, the most for images read",
        ),
        (
            CropFlipViews(0, False),
            "Float(0, 1)",
            r"data.augment_strength: 0 means nothing, these data are nei",
        ),
    ],
)
def test_a_strength_that_the_images_cannot_have_is_refused(
    space: Write, augmentation: CropFlipViews | StreamedViews, strength: str, complaint: str
) -> None:
    made = plan(space(), f"data.augment_strength={strength}")
    other = dataclasses.replace(made, raw=dataclasses.replace(made.raw, augmentation=augmentation))
    with pytest.raises(ConfigError, match=complaint):
        check_augmentation(other)
    check_augmentation(made)


def test_a_damaged_data_file_is_named(space: Write, tmp_path: Path) -> None:
    file = packed(tmp_path / "cut.npz")
    file.write_bytes(file.read_bytes()[:-1000])
    with pytest.raises(ConfigError, match=r"data.root: .*cut.npz"):
        plan(space(), "data.name=packed", f"data.root={str(file)!r}", "data.options={}")
