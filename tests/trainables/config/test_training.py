"""What a training refuses, and which of its fields are in a trial's key."""

from __future__ import annotations

from typing import Any

import pytest

from study.spec import Choice, Float, LogFloat
from trainables.config import ConfigError, Data, Training, TrialConfig
from trainables.config.serialization import from_plain


def key(training: Training, data: Data | None = None) -> str:
    return TrialConfig(data=data or Data(name="cifar100"), student="vgg8", training=training).trial_key


LATER: dict[str, Any] = {
    "optimizer": "sgd",
    "adam_beta1": 0.9,
    "adam_beta2": 0.999,
    "adam_eps": 1e-8,
    "dot_delta": 0.075,
    "label_smoothing": 0.0,
    "ema_decay": None,
}


def test_fields_that_came_later_leave_keys_as_they_were() -> None:
    plain = key(Training(precision="float32"))
    assert key(Training(precision="float32", **LATER)) == plain
    assert key(Training(precision="float32"), Data(name="cifar100", augment_strength=1.0)) == plain
    adam = Training(precision="float32", optimizer="adamw", lr=0.001)
    others = [
        key(adam),
        key(Training(precision="float32", optimizer="adamw", lr=0.001, adam_beta2=0.99)),
        key(Training(precision="float32", optimizer="dot")),
        key(Training(precision="float32", optimizer="dot", dot_delta=0.05)),
        key(Training(precision="float32", label_smoothing=0.1)),
        key(Training(precision="float32", ema_decay=0.99)),
        key(Training(precision="float32"), Data(name="cifar100", augment_strength=0.5)),
    ]
    assert len({plain, *others}) == 8


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"optimizer": "adam"}, r"optimizer: 'adam' is not one of 'sgd', 'adamw'"),
        ({"optimizer": "adamw"}, r"lr: missing; the default of 0\.05 is SGD's, name one for adamw"),
        (
            {"optimizer": "adamw", "lr": 0.001, "nesterov": True},
            r"nesterov: True means nothing where optimizer is",
        ),
        (
            {"optimizer": "adamw", "lr": 0.001, "momentum": 0.8},
            r"momentum: 0\.8 means nothing .* only with 'sgd' or 'dot'",
        ),
        ({"dot_delta": 0.05}, r"dot_delta: 0\.05 means nothing where optimizer is 'sgd', only with 'dot'"),
        (
            {"optimizer": "dot", "dot_delta": 0.1},
            r"dot_delta: 0\.1 about a momentum of 0\.9 makes 0\.8 and 1",
        ),
        ({"optimizer": "dot", "nesterov": True}, r"nesterov: True means nothing .* only with 'sgd'"),
        (
            {"optimizer": Choice("sgd", "dot"), "momentum": Float(0.5, 0.95)},
            r"dot_delta: 0\.075 about a momentum of 0\.95 makes 0\.875 and 1\.025",
        ),
        ({"adam_beta2": 0.9}, r"adam_beta2: 0\.9 means nothing where optimizer is 'sgd'"),
        ({"optimizer": "adamw", "lr": 0.001, "adam_beta1": 1.0}, r"adam_beta1: 1\.0 is not in \[0, 1\)"),
        ({"optimizer": "adamw", "lr": 0.001, "adam_eps": 0.0}, r"adam_eps: 0\.0 is not above 0"),
        ({"label_smoothing": 1.0}, r"label_smoothing: 1\.0 is not in \[0, 1\)"),
        ({"label_smoothing": "0.1"}, r"label_smoothing: expected a number"),
        ({"ema_decay": 1.0}, r"ema_decay: 1\.0 is not between 0 and 1; None averages nothing"),
        ({"ema_decay": Float(0.9, 1.0)}, r"ema_decay: 1\.0 is not between 0 and 1"),
        (
            {"optimizer": Choice("sgd", "adamw"), "lr": 0.01, "adam_beta1": Float(0.5, 1.5)},
            r"adam_beta1: 1\.5 is not in",
        ),
        ({"optimizer": Choice("sgd", "adamw")}, r"lr: missing; .* name one for adamw"),
    ],
)
def test_what_means_nothing_is_refused_in_one_line(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint) as told:
        from_plain(Training, fields)
    assert "\n" not in str(told.value)


def test_fields_of_each_optimiser_are_searched_together() -> None:
    opened: Any = Training(
        optimizer=Choice("sgd", "adamw"),
        lr=LogFloat(1e-3, 0.2),
        momentum=Float(0.5, 0.95),
        nesterov=Choice(True, False),
        adam_beta1=Float(0.8, 0.95),
    )
    assert opened.momentum == Float(0.5, 0.95)


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"augment_strength": 2.5}, r"augment_strength: 2\.5 is not in \[0, 2\]"),
        (
            {"augment": "none", "augment_strength": 0.5},
            r"augment_strength: 0\.5 means nothing where augment is",
        ),
    ],
)
def test_a_strength_that_means_nothing_is_refused(fields: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigError, match=complaint):
        Data(name="cifar100", **fields)
