"""Tells what the settings of a trial are: the hash that groups seeds, a label of the data, whose they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from typing import Any

from study.spec import published as paper
from study.spec.training import TRAINING_KNOBS, published_value
from trainables.config.key import plain_without_later_fields
from trainables.config.trial import TrialConfig
from trainables.losses import check_logit_loss


def data_label(data: Mapping[str, Any]) -> str:
    """Return ``cifar100`` for a whole data set; what is left out or set otherwise stands in brackets."""
    parts = []
    if (classes := data.get("classes")) is not None:
        parts.append(f"{classes if isinstance(classes, int) else len(classes)} classes")
    if (fraction := data.get("fraction", 1.0)) != 1:
        parts.append(f"{100 * fraction:g}% of train")
    if data.get("augment", "standard") != "standard":
        parts.append("not augmented")
    if (strength := data.get("augment_strength", 1.0)) != 1:
        parts.append(f"augmented {strength:g} times")
    parts += [f"{name} {value}" for name, value in data.get("options", {}).items() if name != "download"]
    return str(data["name"]) + (f" ({', '.join(parts)})" if parts else "")


def is_published(config: Mapping[str, Any], searched: Collection[str] = ()) -> bool:
    """Tell whether the logit term of ``config`` has the paper's settings for its pair, whatever the warm-up.

    So has the training, in those of its fields that are among the names ``searched``.
    """
    method, logit = config["method"], config["method"]["logit"]
    if logit is None or logit["base"] not in paper.BASE_LOSSES or logit.get("code") is not None:
        return False
    case = paper.PaperCase(
        (config["teacher"] or {}).get("name", ""),
        config["student"],
        config["data"]["name"],
        plain=tuple(logit["scales"]) == (1,),
    )
    for name in set(searched) & set(TRAINING_KNOBS):
        if TRAINING_KNOBS[name].read(config) != published_value(name, case):
            return False
    base = paper.base_loss(logit["base"], case, logit.get("standardize", "no"))
    options = check_logit_loss(logit["base"], base.options)
    decoupled = tuple(logit["scales"]) != (1,)
    return (
        (method["ce_weight"], logit["alpha"]) == (base.ce_weight, base.alpha)
        and {**options, **logit["options"]} == options
        and (not decoupled or tuple(logit["scales"]) == paper.scales(case, logit["base"]))
        and logit["complementary_weight"] == (paper.BETA if decoupled else 1.0)
        and logit["consistent_weight"] == 1.0
        and (logit["reduction"], logit["agreement"]) == ("mean", "released")
    )


def settings_hash(config: Mapping[str, Any]) -> str:
    """Return a hash, equal for runs that differ in their seed alone, or in how often they see the test split.

    Fields that were added since a run was written count where they are not at their defaults.
    """
    counted = plain_without_later_fields(TrialConfig, config)
    data = {name: value for name, value in counted["data"].items() if name != "root"}
    kept = {name: value for name, value in counted.items() if name not in ("seed", "test")}
    text = json.dumps(_canonical({**kept, "data": data}), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _canonical(value: Any) -> Any:
    """Return 4.0 and 4 as the same number."""
    if isinstance(value, Mapping):
        return {name: _canonical(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_canonical(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
