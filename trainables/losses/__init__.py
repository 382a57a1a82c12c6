"""Distillation losses. Importing this package imports no torch, so a space file may use it.

Names and options are checked without torch (:mod:`trainables.losses.registry`); what computes is loaded when
first asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from trainables.losses.options import LossError, Option
from trainables.losses.registry import (
    check_logit_loss,
    check_scale_decoupled,
    logit_loss_fingerprint,
    logit_loss_names,
    register_logit_loss,
)
from trainables.losses.warmup import linear_warmup

if TYPE_CHECKING:
    from trainables.losses.logits import LogitLoss, logit_loss
    from trainables.losses.sdd import complementary_regions, scale_decoupled

_NEEDS_TORCH = {
    "LogitLoss": "logits",
    "complementary_regions": "sdd",
    "logit_loss": "logits",
    "scale_decoupled": "sdd",
}

__all__ = [
    "LogitLoss",
    "LossError",
    "Option",
    "check_logit_loss",
    "check_scale_decoupled",
    "complementary_regions",
    "linear_warmup",
    "logit_loss",
    "logit_loss_fingerprint",
    "logit_loss_names",
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
