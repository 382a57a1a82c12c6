"""Every knob of the training changes it, and an interrupted trial ends as if undisturbed with each."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch

from tests.trainables.stepping import losses, needs_compiler
from tests.trainables.stepping import trial as stepped
from tests.trainables.trials import CPU, DATA, Run, file_teacher, tiny
from trainables.config import LogitTerm, Method, TrialConfig
from trainables.data import load
from trainables.data.dataset import DataSet
from trainables.engine.compiled_step import loss_signature
from trainables.engine.evaluation import evaluate_due
from trainables.engine.process_cache import ProcessCache
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.models.weights import load_published
from trainables.storage.run_store import RunStore
from trainables.training.build import build_engine
from trainables.training.result import load_student

pytestmark = pytest.mark.usefixtures("one_thread")

ADAMW: dict[str, Any] = {"optimizer": "adamw", "lr": 0.003, "weight_decay": 0.05}
KNOBS: dict[str, dict[str, Any]] = {
    "optimizer": ADAMW,
    "adam_beta1": {**ADAMW, "adam_beta1": 0.5},
    "adam_beta2": {**ADAMW, "adam_beta2": 0.9},
    "adam_eps": {**ADAMW, "adam_eps": 1e-2},
    "label_smoothing": {"label_smoothing": 0.1},
    "dot": {"optimizer": "dot"},
    "dot_delta": {"optimizer": "dot", "dot_delta": 0.02},
    "ema_decay": {"ema_decay": 0.8},
    "mixup": {"mixup": 0.8},
    "cutmix": {"cutmix": 1.0},
    "mixup and cutmix": {"mixup": 0.8, "cutmix": 1.0},
    "schedule": {"schedule": "step", "milestones": (1,)},
    "lr_warmup_epochs": {"lr_warmup_epochs": 2},
    "all": {**ADAMW, "label_smoothing": 0.1, "ema_decay": 0.8, "clip_norm": 1.0},
}


USUAL = {"adam_beta1": ADAMW, "adam_beta2": ADAMW, "adam_eps": ADAMW, "dot_delta": KNOBS["dot"]}
"""What a knob is turned from, where that is not the default."""


def trial(name: str, *stores: RunStore) -> tuple[TrialConfig, DataSet]:
    """A trial with one knob turned, its teacher in ``stores`` if it needs one, and its data."""
    config = tiny(training=KNOBS.get(name))
    if config.training.optimizer == "dot":
        (teacher, *_) = [file_teacher(store) for store in stores]
        config = dataclasses.replace(config, method=Method(logit=LogitTerm(scales=(1, 2))), teacher=teacher)
    if name == "augment_strength":
        config = dataclasses.replace(config, data=dataclasses.replace(DATA, augment_strength=0.4))
    return config, load(config.data, CPU)


@pytest.mark.parametrize("name", [*KNOBS, "augment_strength"])
def test_a_knob_changes_the_training_and_a_resumed_trial_is_the_same(
    store: RunStore, tmp_path: Any, name: str
) -> None:
    others = [RunStore(tmp_path / place) for place in ("whole", "usual")]
    config, data = trial(name, store, *others)
    usual = tiny(config.method, teacher=config.teacher, training=USUAL.get(name))
    whole = Run(config, others[0], data)
    assert whole.numbers != Run(usual, others[1], load(usual.data, CPU)).numbers
    assert Run(config, store, data, stop_after=2).result is None
    resumed = Run(config, store, data)
    assert resumed.numbers == whole.numbers
    assert whole.result is not None
    assert resumed.result is not None
    assert resumed.result["weights"] == whole.result["weights"]


def test_the_averaged_weights_are_measured_and_filed_and_said_to_be(store: RunStore, digits: DataSet) -> None:
    config = tiny(training={"ema_decay": 0.8}, test="end")
    run = Run(config, store, digits)
    plain = Run(tiny(test="end"), store, digits)
    assert [m["train/loss"] for m in run.reports] == [m["train/loss"] for m in plain.reports]
    assert [m["val/loss"] for m in run.reports] != [m["val/loss"] for m in plain.reports]
    folder = store.run(config.trial_key)
    student = load_student(folder)
    assert student is not None
    measured = evaluate_due(config, student, digits, config.training.epochs, Runtime(CPU))
    assert measured == {name: run.reports[-1][name] for name in measured}
    assert run.result is not None
    assert plain.result is not None
    assert run.result["weights_of"] == "moving average, decay 0.8"
    assert torch.load(folder.student(), weights_only=True)["weights_of"] == "moving average, decay 0.8"
    assert "weights_of" not in plain.result
    filed, last = (load_published(store.run(c.trial_key).student()) for c in (config, tiny(test="end")))
    assert not torch.equal(filed["conv1.weight"], last["conv1.weight"])


@needs_compiler
def test_a_compiled_step_smooths_labels_by_a_number_it_is_given(store: RunStore, digits: DataSet) -> None:
    some, more = (
        stepped(store, training={**ADAMW, "lr": 1e-4, "ema_decay": 0.9, "label_smoothing": share})
        for share in (0.1, 0.3)
    )
    cache = ProcessCache()
    assert loss_signature(some) == loss_signature(more)
    assert loss_signature(stepped(store)) != loss_signature(some)
    for config in (some, more):
        compiled = losses(config, store, digits, "compiled", cache, steps=8)
        assert compiled == pytest.approx(losses(config, store, digits, "eager", steps=8), rel=1e-5)
    assert cache.count("step") == 1


def test_smoothed_cross_entropy_is_torchs(store: RunStore, digits: DataSet) -> None:
    config = tiny(training={"label_smoothing": 0.2})
    engine = build_engine(TrialInputs(config, store, digits), Runtime(CPU))
    batch = next(iter(digits.train.batches(32, epoch=1)))
    engine.student.train()
    terms, logits = engine.step(batch, epoch=1)
    expected = torch.nn.functional.cross_entropy(logits, batch.target, label_smoothing=0.2)
    torch.testing.assert_close(terms["ce"], expected)
