"""Makes the methods under the names that space files use: SDD, KD, DKD, NKD, Supervised, Feature."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from study.spec import published as paper
from study.spec.distillation import Distillation
from study.spec.domains import Domain
from study.spec.features import Added
from study.spec.published_features import FEATURES

SDD = Distillation
"""Scale decoupled distillation of a base loss, under the name that space files use."""


def plain(base: str, **settings: Any) -> Distillation:
    """Return the base loss alone, built in or one's own: M = {1} and beta = 1.

    >>> plain("rld", alpha=2.0).label
    'RLD'
    >>> plain("kd", standardize="region").label
    'KD+LS'

    Args:
        settings: fields of :class:`Distillation`; ``options`` are the loss's own, ``{"temperature": 2.0}``.
    """
    options = settings.pop("options", {})
    return Distillation(
        base=base, scales=(1,), beta=1.0, options={base: options} if options else {}, **settings
    )


def KD(**settings: Any) -> Distillation:
    """Return knowledge distillation (Hinton 2015), eq. 1; ``options={"temperature": Float(2, 8)}``."""
    return plain("kd", **settings)


def DKD(**settings: Any) -> Distillation:
    """Return decoupled knowledge distillation (Zhao 2022), the loss by itself."""
    return plain("dkd", **settings)


def NKD(**settings: Any) -> Distillation:
    """Return normalised knowledge distillation (Yang 2023), the loss by itself."""
    return plain("nkd", **settings)


def Supervised(**settings: Any) -> Distillation:
    """Return the method without a teacher: cross-entropy alone."""
    return Distillation(base=None, **settings)


def Feature(
    name: str,
    *,
    plus: Distillation | None = None,
    weight: float | Domain | None = None,
    warmup_epochs: int | Domain | None = None,
    training: Mapping[str, Any] | None = None,
    **options: Any,
) -> Distillation:
    """Add a feature loss to the cross-entropy, or to all that ``plus`` does: Feature("sp", plus=KD()).

    The weight and the warm-up are the published ones unless given. ``options`` are the loss's own parameters;
    they, the weight and the warm-up may be domains.
    """
    if warmup_epochs is None and not any(row.name == name for row in FEATURES):
        warmup_epochs = 0  # as names of searches had it before any loss had a published warm-up
    added = Added(name=name, weight=weight, options=options, warmup_epochs=warmup_epochs)
    method = Supervised() if plus is None else plus
    changes = {**method.training, **(training or {})}
    return dataclasses.replace(method, features=(*method.features, added), training=changes)


PAPER_METHODS = tuple(row for base in paper.PAPER_BASES for row in (plain(base), SDD(base=base)))
"""KD, DKD and NKD, each by itself and decoupled: the rows that the paper's Tables 1 to 5 are about."""
