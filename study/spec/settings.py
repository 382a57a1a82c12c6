"""Reads a finished trial's configuration under the names that a search uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from study.spec.distillation import METHOD_KNOBS
from study.spec.knobs import ABSENT
from study.spec.training import TRAINING_KNOBS

KNOBS = (*METHOD_KNOBS, *TRAINING_KNOBS.values())
"""Every knob that is declared by a field."""


def settings_of(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return a trial's settings by name: alpha, beta, ``dkd.beta``, ``crd.weight``, ...

    Args:
        config: the trial's, as :meth:`TrialConfig.to_dict` gives it; parts may be missing.
    """
    method = config["method"]
    known = {row.name: value for row in KNOBS if (value := row.read(config)) is not ABSENT}
    for term in method["features"]:
        own = {name: value for name, value in term.items() if name not in ("name", "options")}
        known |= {f"{term['name']}.{name}": value for name, value in {**own, **term["options"]}.items()}
    if logit := method["logit"]:
        known |= {f"{logit['base']}.{name}": value for name, value in logit["options"].items()}
    return known
