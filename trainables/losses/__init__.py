"""Computes distillation losses. Importing this package imports no torch, so a space file may use it.

Names and options are checked without torch (:mod:`trainables.losses.registry`); what computes is loaded when
first asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from trainables.lazy import hand_on
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
    from trainables.losses.features import FeatureLoss as FeatureLoss
    from trainables.losses.features import Features as Features
    from trainables.losses.features import FeatureShapes as FeatureShapes
    from trainables.losses.features import feature_loss as feature_loss
    from trainables.losses.logits import LogitLoss as LogitLoss
    from trainables.losses.logits import logit_loss as logit_loss
    from trainables.losses.sdd import complementary_regions as complementary_regions
    from trainables.losses.sdd import scale_decoupled as scale_decoupled
else:  # what computes needs torch
    __getattr__, __dir__, _ = hand_on(__name__)

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
