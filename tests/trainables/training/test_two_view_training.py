"""Two views in whole trials: seen by both networks, the same after an interruption, compiled too."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainables.stepping import needs_compiler
from tests.trainables.trials import CPU, DATA, Run, file_teacher, tiny
from trainables.config import LogitTerm, Method, TrialConfig
from trainables.data import load
from trainables.data.dataset import DataSet
from trainables.data.strong_view import StrongViews
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.storage.run_store import RunStore
from trainables.teacher.remembered import RememberedTeacher
from trainables.training.build import build_engine, recordable

pytestmark = pytest.mark.usefixtures("one_thread")

SD_CRLD = LogitTerm(base="crld", scales=(1, 2), complementary_weight=2.0)


def trial(store: RunStore, term: LogitTerm = SD_CRLD, **changes: Any) -> TrialConfig:
    """A tiny trial of a loss of two views."""
    return tiny(Method(logit=term), teacher=file_teacher(store), **changes)


def test_an_interrupted_trial_ends_as_if_undisturbed(
    store: RunStore, tmp_path: Path, digits: DataSet
) -> None:
    other = RunStore(tmp_path / "whole")
    config = trial(store)
    assert trial(other) == config
    whole = Run(config, other, digits)
    assert Run(config, store, digits, stop_after=2).result is None
    resumed = Run(config, store, digits)
    assert resumed.numbers == whole.numbers
    assert whole.result is not None
    assert resumed.result is not None
    assert resumed.result["weights"] == whole.result["weights"]
    assert {"train/loss_ce", "train/loss_logit"} <= whole.reports[0].keys()
    assert whole.logged == resumed.logged == []


def test_both_networks_see_both_views_and_the_plain_one_is_looked_up(
    store: RunStore, digits: DataSet
) -> None:
    config = trial(store)
    engine = build_engine(TrialInputs(config, store, digits), Runtime(CPU))
    assert isinstance(engine.teacher, RememberedTeacher)
    second = engine._step.second
    assert second is not None
    student: list[Tensor] = []
    teacher: list[Tensor] = []
    maps = engine.student.maps
    engine.student.maps = lambda images: (student.append(images), maps(images))[1]  # type: ignore[method-assign]
    look = second.teacher
    engine._step.second = second._replace(
        teacher=lambda batch: (teacher.append(batch.images), look(batch))[1]
    )
    engine.train_epoch(digits.train, epoch=1, seed=5)
    weak = [batch.images for batch in digits.train.batches(32, epoch=1, seed=5)]
    views = StrongViews(*digits.train.normalisation)
    views.begin_epoch(seed=5, epoch=1)
    strong = [views(batch).images for batch in digits.train.batches(32, epoch=1, seed=5)]
    assert len(student) == 2 * len(weak)
    for shown, expected in ((student[::2], weak), (student[1::2], strong), (teacher, strong)):
        assert all(torch.equal(one, other) for one, other in zip(shown, expected, strict=True))


def test_each_epoch_and_each_seed_has_views_of_its_own(store: RunStore) -> None:
    """Images that are not augmented otherwise, all in one batch, differ by their strong views alone."""
    data = dataclasses.replace(DATA, augment="none")
    plain = load(data, CPU)
    config = trial(store, training={"lr": 1e-12, "batch_size": len(plain.train)}, data=data)
    engine = build_engine(TrialInputs(config, store, plain), Runtime(CPU))
    drawn = ((1, 0), (2, 0), (1, 1), (1, 0))
    found = [engine.train_epoch(plain.train, epoch, seed)["train/loss_ce"] for epoch, seed in drawn]
    assert len(set(found[:3])) == 3
    assert found[3] == pytest.approx(found[0], rel=1e-6)


@needs_compiler
@pytest.mark.slow
def test_a_compiled_step_sees_both_views(store: RunStore, digits: DataSet) -> None:
    config = trial(store, training={"batch_size": 25, "lr": 1e-4})
    found = []
    for mode in ("eager", "compiled"):
        engine = build_engine(TrialInputs(config, store, digits), Runtime(CPU, compile_mode=mode))
        assert (engine.compiled is not None) == (mode == "compiled")
        found.append([engine.train_epoch(digits.train, epoch, seed=0)["train/loss"] for epoch in (1, 2)])
    assert found[0] == pytest.approx(found[1], rel=1e-5)


def test_knobs_change_the_training_and_the_key(store: RunStore, digits: DataSet) -> None:
    config = trial(store)
    assert recordable(config, len(digits.train))
    for name in ("temperature", "within_weight", "across_weight", "weak_confidence", "strong_confidence"):
        turned = dataclasses.replace(SD_CRLD, options={name: 0.6})
        assert trial(store, turned).trial_key != config.trial_key
