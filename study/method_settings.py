"""A trial's method, as its configuration holds it, under the names that a search uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def settings_of(method: Mapping[str, Any]) -> dict[str, Any]:
    """A trial's method under the names that a search uses: alpha, beta, ``dkd.beta``, ``crd.weight``, ..."""
    known: dict[str, Any] = {"ce_weight": method["ce_weight"]}
    known |= {f"{term['name']}.weight": term["weight"] for term in method["features"]}
    if logit := method["logit"]:
        known |= {name: logit[name] for name in ("base", "alpha", "scales", "consistent_weight")}
        known |= {name: logit[name] for name in ("reduction", "agreement", "warmup_epochs")}
        known["beta"] = logit["complementary_weight"]
        known |= {f"{logit['base']}.{name}": value for name, value in logit["options"].items()}
    return known
