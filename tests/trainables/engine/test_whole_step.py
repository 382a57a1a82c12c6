"""The step that a GPU records: here its body runs uncaptured, to the bit as batch after batch by the host."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import Tensor

from tests.trainables.stepping import trial
from tests.trainables.trials import CPU, CRD, SD_DKD
from trainables.config import FeatureTerm, LogitTerm, Method, Training, TrialConfig
from trainables.data.dataset import DataSet
from trainables.data.mixing import MixedLabels, drawn_mixture, drawn_partners, mixed
from trainables.data.split import Batch, Split
from trainables.engine.engine import Engine
from trainables.engine.evaluation import MetricTotals
from trainables.engine.optimizers import OPTIMIZERS
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.engine.schedule import learning_rate
from trainables.engine.whole_step import epoch_values
from trainables.storage.run_store import RunStore
from trainables.training.build import build_engine

pytestmark = pytest.mark.usefixtures("one_thread")

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "plain": {"method": Method()},
    "decoupled": {"term": LogitTerm(scales=(1, 2, 4), warmup_epochs=2)},
    "two views": {"term": LogitTerm(base="crld", scales=(1, 2), complementary_weight=2.0)},
    "two views, mixed, a small last batch": {
        "term": LogitTerm(base="crld"),
        "training": {"batch_size": 32, "mixup": 0.4, "label_smoothing": 0.1, "lr": 0.05},
    },
    "two views and maps, dot": {
        "method": Method(logit=LogitTerm(base="crld"), features=(FeatureTerm(name="at", weight=10.0),)),
        "training": {"optimizer": "dot", "lr": 0.05},
    },
    "a live teacher": {"method": Method(logit=SD_DKD, features=(FeatureTerm(name="at", weight=10.0),))},
    "a loss with state": {"method": Method(features=(CRD,))},
    "warm-up, clipped, nesterov": {
        "training": {"lr": 0.1, "lr_warmup_epochs": 2, "clip_norm": 1.0, "nesterov": True}
    },
    "no momentum": {"training": {"lr": 0.1, "momentum": 0.0}},
    "adamw, smoothed labels, averaged": {
        "training": {"optimizer": "adamw", "lr": 0.01, "label_smoothing": 0.1, "ema_decay": 0.9}
    },
    "dot, clipped": {"training": {"optimizer": "dot", "lr": 0.1, "clip_norm": 1.0}},
    "dot of a loss with layers": {
        "method": Method(logit=SD_DKD, features=(FeatureTerm(name="fitnet", weight=10.0),)),
        "training": {"optimizer": "dot", "lr": 0.1},
    },
    "a small last batch": {"training": {"batch_size": 32, "lr": 0.05}},
    "mixed images": {"training": {"mixup": 0.8, "cutmix": 1.0, "label_smoothing": 0.1, "lr": 0.05}},
    "mixed images, a small last batch": {"training": {"batch_size": 32, "mixup": 0.4, "lr": 0.05}},
    "only a small batch": {"training": {"batch_size": 80, "lr": 0.05}},
    "batch statistics of parts": {"training": {"batch_size": 24, "batch_norm_parts": 2}},
}


def by_the_host(engine: Engine, data: DataSet, epoch: int) -> dict[str, float]:
    """An epoch of single steps."""
    training, split = engine.training, data.train
    engine.student.train()
    engine.criterion.train()
    kept: Any = {"parts": training.batch_norm_parts, "drop_last": training.drop_last}
    plan = split.plan(training.batch_size, epoch=epoch, seed=3, **kept)
    if engine.teacher is not None:
        engine.teacher.begin_epoch(split, plan)
    totals = MetricTotals()
    for step, batch in enumerate(split.batches(training.batch_size, epoch=epoch, seed=3, **kept)):
        engine.optimizer.lr = learning_rate(training, epoch - 1 + step / len(plan.sizes))
        batch, labels = single_mixture(training, split, batch, (3, epoch, step))
        terms, logits = engine.step(batch, epoch, labels=labels, seed=3)
        totals.add(len(batch.target), **epoch_values(terms, logits, batch.target))
    return totals.means()


def single_mixture(
    training: Training, split: Split, batch: Batch, drawn_for: tuple[int, int, int]
) -> tuple[Batch, MixedLabels | None]:
    """A batch mixed as for (seed, epoch, step), where the training mixes."""
    mixture = drawn_mixture(training, *drawn_for)
    if mixture is None:
        return batch, None
    seed, epoch, step = drawn_for
    partners = drawn_partners(len(batch.target), seed=seed, epoch=epoch, step=step)
    numbers = mixture.numbers(split.image_size)
    return mixed(batch, torch.from_numpy(partners), torch.from_numpy(numbers))


def numbers(engine: Engine) -> list[Tensor]:
    """All that a checkpoint holds."""
    columns = engine.optimizer.state_dict().values()
    moved = [value for column in columns for value in column if value is not None]
    averaged = [] if engine.average is None else [*engine.average.state()]
    return [*engine.student.state_dict().values(), *engine.criterion.state_dict().values(), *moved, *averaged]


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_an_epoch_is_to_the_bit_that_of_single_steps(store: RunStore, digits: DataSet, name: str) -> None:
    config = trial(store, **CONFIGURATIONS[name])
    whole, single = (built(config, store, digits) for _ in range(2))
    for epoch in (1, 2, 3):
        assert whole.train_epoch(digits.train, epoch, seed=3) == by_the_host(single, digits, epoch)
        assert whole.optimizer.lr == single.optimizer.lr
    for ours, theirs in zip(numbers(whole), numbers(single), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_trial_that_takes_over_what_another_left_is_as_if_by_itself(
    store: RunStore, digits: DataSet, optimizer: str
) -> None:
    """On a GPU the step recorded for one trial serves the next one of its kind."""
    settings = {"optimizer": optimizer, "ema_decay": 0.9, "label_smoothing": 0.1}
    method = Method(logit=SD_DKD, features=(FeatureTerm(name="fitnet", weight=10.0),))
    config = trial(store, method=method, seed=1, training={"lr": 0.1, **settings})
    other = trial(
        store,
        method=Method(ce_weight=0.3, logit=SD_DKD, features=(FeatureTerm(name="fitnet", weight=1.0),)),
        seed=2,
        training={"lr": 0.01, **settings, "label_smoothing": 0.2},
    )
    first, itself = built(config, store, digits), built(other, store, digits)
    first.train_epoch(digits.train, 1, seed=1)
    second = first.take_over(built(other, store, digits))
    for epoch in (1, 2):
        assert second.train_epoch(digits.train, epoch, 2) == itself.train_epoch(digits.train, epoch, 2)
    for ours, theirs in zip(numbers(second), numbers(itself), strict=True):
        assert torch.equal(ours, theirs)


def test_a_trial_that_takes_over_sees_its_own_augmentation(store: RunStore, digits: DataSet) -> None:
    """What is recorded serves all strengths below 1; the views are those that the trial's host draws."""
    goes_on_in_its_own_augmentation(trial(store, training={"lr": 0.05}), store, digits)


def goes_on_in_its_own_augmentation(config: TrialConfig, store: RunStore, usual: DataSet) -> None:
    """Check a trial of weak augmentation that takes over from one of the ``usual``."""
    weak = usual.augmented_as(dataclasses.replace(config.data, augment_strength=0.2))
    first, itself = built(config, store, usual), built(config, store, weak)
    theirs, step = first.train_epoch(usual.train, 1, seed=1), first.whole
    second = first.take_over(built(config, store, weak))
    ours = second.train_epoch(weak.train, 1, seed=1)
    assert second.whole is step, "the step that may be recorded is kept"
    assert ours == itself.train_epoch(weak.train, 1, seed=1)
    assert ours != theirs


def built(config: TrialConfig, store: RunStore, data: DataSet) -> Engine:
    """The engine of ``config``, in a process of its own."""
    return build_engine(TrialInputs(config, store, data), Runtime(CPU, compile_mode="eager"))
