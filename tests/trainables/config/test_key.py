"""What a configuration's hashes are of, from objects and from what was written of them."""

from __future__ import annotations

from typing import Any

import pytest

from trainables.config import Data, Teacher, Training, TrialConfig
from trainables.config.key import plain_without_later_fields, without_later_fields
from trainables.config.method import FeatureTerm, LogitTerm, Method

PLAIN = Training(precision="float32")
CONFIGS = [
    TrialConfig(data=Data(name="shapes"), student="resnet8", training=PLAIN),
    TrialConfig(
        data=Data(name="shapes", augment_strength=0.5, options={"download": True}),
        student="resnet8",
        teacher=Teacher(name="resnet20", weights="0" * 64),
        method=Method(
            logit=LogitTerm(base="kd", scales=(1, 2), standardize="region"),
            features=(FeatureTerm(name="at", weight=10.0), FeatureTerm(name="fitnet", weight=1.0)),
        ),
        training=Training(
            precision="float32", optimizer="adamw", lr=0.001, ema_decay=0.99, batch_norm_parts=2
        ),
        fit="all",
        test="end",
    ),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_what_was_written_counts_as_what_it_was_written_from(config: TrialConfig) -> None:
    assert plain_without_later_fields(TrialConfig, config.to_dict()) == without_later_fields(config)


@pytest.mark.parametrize("config", CONFIGS)
def test_what_an_older_version_left_out_has_its_default(config: TrialConfig) -> None:
    older: dict[str, Any] = config.to_dict()
    for name in ("weights", "large_images", "initial"):
        del older[name]
    for name in ("drop_path", "batch_norm_parts"):
        del older["training"][name]
    expected: Any = without_later_fields(config)
    expected["training"]["batch_norm_parts"] = 1
    assert plain_without_later_fields(TrialConfig, older) == expected
