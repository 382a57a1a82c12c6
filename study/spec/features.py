"""Declares a feature loss that a method adds, with whatever of it is searched."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from study.spec.domains import Domain, extremes, options_of
from study.spec.published import ANY_CASE, PaperCase
from study.spec.published_features import feature_loss
from trainables.config.method import FeatureTerm
from trainables.config.open_values import guarded
from trainables.config.serialization import require
from trainables.losses import feature_loss_spec

OWN = ("weight", "warmup_epochs")
"""Fields that every feature loss has, beside options of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
@guarded(None)
class Added:
    """Holds a feature loss that a method adds; :func:`study.spec.methods.Feature` makes it.

    >>> Added(name="sp").term().weight  # the published weight
    3000.0
    >>> dict(Added(name="sp", weight=2.0).slots())
    {'sp.weight': 2.0, 'sp.warmup_epochs': 0}

    Attributes:
        weight: None means the published value for the pair and data.
        options: the loss's own parameters; each may hold a domain.
        warmup_epochs: the weight rises linearly over this many epochs; None means the published number.
    """

    name: str
    weight: float | Domain | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    warmup_epochs: int | Domain | None = 0

    def __post_init__(self) -> None:
        for name in OWN:
            low = next(options_of(getattr(self, name)), getattr(getattr(self, name), "low", None))
            require(not isinstance(low, (int, float)) or low >= 0, f"{name}: {low} is below 0")

    def slots(self) -> Iterator[tuple[str, Any]]:
        """Yield (name in a search, value) of all that may be searched, such as ``crd.weight``."""
        for name in OWN:
            yield f"{self.name}.{name}", getattr(self, name)
        for option, value in self.options.items():
            yield f"{self.name}.{option}", value

    def with_values(self, values: Mapping[str, Any]) -> Added:
        """Put in what ``values`` has of the loss, by names of :meth:`slots`."""
        own = {name: values.get(f"{self.name}.{name}", getattr(self, name)) for name in OWN}
        options = {name: values.get(f"{self.name}.{name}", value) for name, value in self.options.items()}
        return dataclasses.replace(self, **own, options=options)

    def option_corners(self) -> Iterator[dict[str, Any]]:
        """Yield the options with each combination of extremes of what is searched of them."""
        for values in product(*map(extremes, self.options.values())):
            yield dict(zip(self.options, values, strict=True))

    def published(self, case: PaperCase = ANY_CASE) -> dict[str, Any]:
        """Give the published value of each of :meth:`slots` in ``case``."""
        spec, row = feature_loss_spec(self.name), feature_loss(self.name, case)
        known: dict[str, Any] = {
            "weight": spec.default_weight if row.weight is None else row.weight,
            "warmup_epochs": row.warmup_epochs,
        }
        known |= {name: option.default for name, option in spec.options.items()}
        return {f"{self.name}.{name}": value for name, value in known.items()}

    def term(self, case: PaperCase = ANY_CASE) -> FeatureTerm:
        """Give the configuration of the data plane in ``case``; nothing may hold a domain any more."""
        known = self.published(case)
        own: dict[str, Any] = {
            name: known[f"{self.name}.{name}"] if (value := getattr(self, name)) is None else value
            for name in OWN
        }
        return FeatureTerm(name=self.name, options=self.options, **{**own, "weight": float(own["weight"])})

    @classmethod
    def of(cls, term: FeatureTerm) -> Added:
        """Return the loss whose :meth:`term` is ``term``."""
        return cls(
            name=term.name, weight=term.weight, options=dict(term.options), warmup_epochs=term.warmup_epochs
        )
