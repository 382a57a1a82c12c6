"""A trial's method, as its configuration holds it, under the names that a search uses."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from study.spec import published as paper
from study.spec.domains import Choice, Domain, OptunaTrial, is_domain, options_of
from study.spec.published import ANY_CASE, PaperCase
from trainables.config.trial import FeatureTerm, LogitTerm, Method, Scalar, require
from trainables.losses import check_logit_loss, feature_loss_spec, logit_loss_fingerprint


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


OptionMap = Mapping[str, Any]
Point = dict[str, Any]
"""Values of a method's domains by name, as Optuna stores them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """A feature loss that a method adds; see :func:`Feature`.

    Attributes:
        weight: None means the published value.
        options: the loss's own parameters.
    """

    name: str
    weight: float | Domain | None = None
    options: Mapping[str, Scalar | tuple[int, ...]] = field(default_factory=dict)
    warmup_epochs: int = 0

    def __post_init__(self) -> None:
        low = next(options_of(self.weight), getattr(self.weight, "low", None))
        require(low is None or low >= 0, f"weight: {low} is below 0")

    @property
    def weight_name(self) -> str:
        """The name of the weight in a search: ``crd.weight``."""
        return f"{self.name}.weight"

    def term(self) -> FeatureTerm:
        """The configuration of the data plane; the weight may hold no domain any more."""
        weight: Any = feature_loss_spec(self.name).default_weight if self.weight is None else self.weight
        return FeatureTerm(
            name=self.name, weight=float(weight), options=self.options, warmup_epochs=self.warmup_epochs
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """ce_weight * L_CE + alpha * (consistent_weight * D_con + beta * D_com) + features (eq. 10, 11).

    Attributes:
        base: kd, dkd, nkd or a registered loss; None for no logit loss.
        alpha, ce_weight, warmup_epochs: None means the published value of the base, for the pair and data.
        scales: the set M; None means the paper's for the pair.
        beta: weight of the complementary term.
        options: parameters of the base losses, by base: ``{"dkd": {"beta": Float(2, 10)}}``; what is not
            named keeps its published value, and domains of a base are asked for only when it is chosen.
        features: feature losses that are added.
    """

    base: str | Choice | None = "kd"
    alpha: float | Domain | None = None
    beta: float | Domain = paper.BETA
    scales: tuple[int, ...] | Choice | None = None
    options: Mapping[str, OptionMap] = field(default_factory=dict)
    ce_weight: float | Domain | None = None
    consistent_weight: float | Domain = 1.0
    reduction: str | Choice = "mean"
    agreement: str | Choice = "released"
    warmup_epochs: int | Domain | None = None
    features: tuple[Added, ...] = ()

    def __post_init__(self) -> None:
        bases = list(options_of(self.base))
        for base in self.options:
            require(
                base in bases,
                f"options: '{base}' is not a base of this method ({', '.join(map(str, bases))})",
            )
        for scales in options_of(self.scales):
            if scales is not None:
                LogitTerm(scales=scales)  # refuses a set that is none

    @property
    def label(self) -> str:
        """The row's name where it is fixed: SD-KD, KD, FITNET; SDD where the base is searched."""
        if is_domain(self.base):
            return "SDD"
        return at_paper(self).method().label

    @property
    def searched(self) -> bool:
        """Whether any field holds a domain."""
        return any(True for _ in self.domains())

    def domains(self) -> Iterator[tuple[str, Any, Domain]]:
        """(name, base it belongs to or None, domain) of each field that is searched."""
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if is_domain(value):
                yield item.name, None, value
        for base, options in self.options.items():
            for name, value in options.items():
                if is_domain(value):
                    yield f"{base}.{name}", base, value
        for added in self.features:
            if isinstance(added.weight, Domain):
                yield added.weight_name, None, added.weight

    def suggest(self, trial: OptunaTrial) -> Distillation:
        """The method with each domain replaced by what ``trial`` suggests."""
        values: dict[str, Any] = {}
        for name, base, domain in self.domains():
            if base is None or base == values.get("base", self.base):
                values[name] = domain.suggest(trial, name)
        return self.with_values(values)

    def with_values(self, values: Mapping[str, Any]) -> Distillation:
        """The method with fields replaced; ``dkd.beta`` is a base loss's, ``sp.weight`` a feature loss's."""
        rest = dict(values)
        features = tuple(
            dataclasses.replace(added, weight=rest.pop(added.weight_name, added.weight))
            for added in self.features
        )
        options = {base: dict(of_base) for base, of_base in self.options.items()}
        for name in [name for name in rest if "." in name]:
            base, option = name.split(".", 1)
            options[base][option] = rest.pop(name)
        chosen = rest.get("base", self.base)
        if not is_domain(chosen):
            options = {base: of_base for base, of_base in options.items() if base == chosen}
        return dataclasses.replace(self, **rest, options=options, features=features)

    def value(self, name: str) -> Any:
        """What stands under a name of :meth:`domains`."""
        for added in self.features:
            if name == added.weight_name:
                return added.weight
        base, _, option = name.rpartition(".")
        return self.options[base][option] if base else getattr(self, name)

    def method(self, case: PaperCase = ANY_CASE) -> Method:
        """The configuration of the data plane in ``case``; no field may hold a domain any more."""
        published = paper.base_loss(str(self.base), case)
        ce_weight = published.ce_weight if self.ce_weight is None else _number(self.ce_weight)
        features = tuple(added.term() for added in self.features)
        if self.base is None:
            return Method(ce_weight=ce_weight, features=features)
        base = str(self.base)
        term: Any = {
            "base": base,
            "options": check_logit_loss(base, {**published.options, **self.options.get(base, {})}),
            "code": logit_loss_fingerprint(base),
            "alpha": published.alpha if self.alpha is None else self.alpha,
            "scales": paper.scales(case) if self.scales is None else self.scales,
            "consistent_weight": self.consistent_weight,
            "complementary_weight": self.beta,
            "reduction": self.reduction,
            "agreement": self.agreement,
            "warmup_epochs": published.warmup_epochs if self.warmup_epochs is None else self.warmup_epochs,
        }
        return Method(ce_weight=ce_weight, logit=LogitTerm(**term), features=features)


def _number(value: Any) -> float:
    return float(value)


SDD = Distillation
"""Scale decoupled distillation of a base loss, under the name that space files use."""


def plain(base: str, **settings: Any) -> Distillation:
    """The base loss alone: M = {1} and beta = 1."""
    options = settings.pop("options", {})
    return Distillation(
        base=base, scales=(1,), beta=1.0, options={base: options} if options else {}, **settings
    )


def KD(**settings: Any) -> Distillation:
    """Knowledge distillation (Hinton 2015), eq. 1; ``options`` such as ``{"temperature": Float(2, 8)}``."""
    return plain("kd", **settings)


def DKD(**settings: Any) -> Distillation:
    """Decoupled knowledge distillation (Zhao 2022)."""
    return plain("dkd", **settings)


def NKD(**settings: Any) -> Distillation:
    """Normalised knowledge distillation (Yang 2023)."""
    return plain("nkd", **settings)


def Supervised() -> Distillation:
    """The student by itself: cross-entropy alone."""
    return Distillation(base=None)


def Feature(
    name: str,
    *,
    plus: Distillation | None = None,
    weight: float | Domain | None = None,
    warmup_epochs: int = 0,
    **options: Any,
) -> Distillation:
    """A feature loss beside the cross-entropy, or beside all that ``plus`` does: Feature("sp", plus=KD())."""
    added = Added(name=name, weight=weight, options=options, warmup_epochs=warmup_epochs)
    method = Supervised() if plus is None else plus
    return dataclasses.replace(method, features=(*method.features, added))


PAPER_METHODS = tuple(row for base in paper.BASE_LOSSES for row in (plain(base), SDD(base=base)))
"""KD, DKD and NKD, each by itself and decoupled: the rows that the paper's Tables 1 to 5 are about."""


def at_paper(method: Distillation, case: PaperCase = ANY_CASE) -> Distillation:
    """``method`` with every domain at the paper's value in ``case``."""
    bases = list(options_of(method.base))
    base = "kd" if "kd" in bases else bases[0]
    published = paper.base_loss(str(base), case)
    known: dict[str, Any] = {item.name: item.default for item in dataclasses.fields(Distillation)}
    known |= {name: getattr(published, name) for name in ("alpha", "ce_weight", "warmup_epochs")}
    known |= {"base": base, "scales": paper.scales(case)}
    known |= {added.weight_name: feature_loss_spec(added.name).default_weight for added in method.features}
    if base is not None:
        options = check_logit_loss(str(base), published.options)
        known |= {f"{base}.{option}": value for option, value in options.items()}
    return method.with_values(
        {name: known[name] for name, of_base, _ in method.domains() if of_base in (None, base)}
    )


def stored_point(method: Distillation, at: Distillation) -> Point | None:
    """The values of ``at`` for the domains of ``method`` as Optuna stores them; None if one lies outside."""
    point: Point = {}
    for name, base, domain in method.domains():
        if base in (None, at.base):
            point[name] = domain.stored(at.value(name))
    return None if None in point.values() else point
