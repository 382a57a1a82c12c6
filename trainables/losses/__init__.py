"""Distillation losses. Importing this package imports no torch, so a space file may use it.

Names and options are checked without torch (:mod:`trainables.losses.registry`); what computes is loaded when
first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from trainables.losses.options import LossError, LossOption
from trainables.losses.registry import (
    check_feature_loss,
    check_logit_loss,
    check_scale_decoupled,
    feature_loss_names,
    feature_loss_spec,
    logit_loss_fingerprint,
    logit_loss_names,
    logit_loss_spec,
    register_logit_loss,
)
from trainables.losses.warmup import linear_warmup

if TYPE_CHECKING:
    from trainables.losses.features import FeatureLoss, Features, FeatureShapes, feature_loss
    from trainables.losses.logits import LogitLoss, logit_loss
    from trainables.losses.sdd import complementary_regions, scale_decoupled

_NEEDS_TORCH = {
    "FeatureLoss": "features",
    "FeatureShapes": "features",
    "Features": "features",
    "LogitLoss": "logits",
    "complementary_regions": "sdd",
    "feature_loss": "features",
    "logit_loss": "logits",
    "scale_decoupled": "sdd",
}

__all__ = [
    "FeatureLoss",
    "FeatureShapes",
    "Features",
    "LogitLoss",
    "LossError",
    "LossOption",
    "check_feature_loss",
    "check_logit_loss",
    "check_scale_decoupled",
    "complementary_regions",
    "feature_loss",
    "feature_loss_names",
    "feature_loss_spec",
    "linear_warmup",
    "logit_loss",
    "logit_loss_fingerprint",
    "logit_loss_names",
    "logit_loss_spec",
    "register_logit_loss",
    "scale_decoupled",
]


def __getattr__(name: str) -> Any:
    if name not in _NEEDS_TORCH:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_NEEDS_TORCH[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
