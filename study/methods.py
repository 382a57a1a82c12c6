"""The methods of a study: rows of its tables, each with fixed values or domains in its fields.

SDD(base=Choice("kd", "dkd"), alpha=LogFloat(0.25, 4), beta=Float(1, 8), scales=Choice((1, 2), (1, 2, 4)))
KD()                                # the base loss alone: SDD with M = {1}, eq. 9
Feature("crd", plus=KD())           # a feature loss, alone or added to a logit loss
Supervised()                        # the student by itself
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from study import paper
from study.domains import Choice, Domain, OptunaTrial, is_domain, options_of
from trainables.config import FeatureTerm, LogitTerm, Method, require
from trainables.losses import check_logit_loss, logit_loss_fingerprint

OptionMap = Mapping[str, Any]
Point = dict[str, Any]
"""Values of a method's domains by name, as Optuna stores them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distillation:
    """ce_weight * L_CE + alpha * (consistent_weight * D_con + beta * D_com) + features (eq. 10, 11).

    Attributes:
        base: kd, dkd, nkd or a registered loss; None for no logit loss.
        alpha, ce_weight, warmup_epochs: None means the published value of the base.
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
    features: tuple[FeatureTerm, ...] = ()

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
        return at_paper(self).method("", "").label

    @property
    def decoupled(self) -> bool:
        """Whether any of its settings decouples scales."""
        return self.base is not None and (self.scales != (1,) or self.beta != 1.0)

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

    def suggest(self, trial: OptunaTrial) -> Distillation:
        """The method with each domain replaced by what ``trial`` suggests."""
        values: dict[str, Any] = {}
        for name, base, domain in self.domains():
            if base is None or base == values.get("base", self.base):
                values[name] = domain.suggest(trial, name)
        return self.with_values(values)

    def with_values(self, values: Mapping[str, Any]) -> Distillation:
        """The method with fields replaced; ``dkd.beta`` names an option of a base."""
        fields = {name: value for name, value in values.items() if "." not in name}
        options = {base: dict(of_base) for base, of_base in self.options.items()}
        for name, value in values.items():
            if "." in name:
                base, option = name.split(".", 1)
                options[base][option] = value
        chosen = fields.get("base", self.base)
        if not is_domain(chosen):
            options = {base: of_base for base, of_base in options.items() if base == chosen}
        return dataclasses.replace(self, **fields, options=options)

    def method(self, teacher: str, student: str) -> Method:
        """The configuration of the data plane, for one pair; no field may hold a domain any more."""
        if self.base is None:
            return Method(
                ce_weight=1.0 if self.ce_weight is None else _number(self.ce_weight), features=self.features
            )
        base = str(self.base)
        published = paper.base_loss(base)
        warmup = self.warmup_epochs
        if warmup is None:
            warmup = published.warmup_epochs if self.decoupled else 0
        scales: Any = self.scales if self.scales is not None else paper.scales(teacher, student)
        term: Any = {
            "base": base,
            "options": check_logit_loss(base, {**published.options, **self.options.get(base, {})}),
            "code": logit_loss_fingerprint(base),
            "alpha": published.alpha if self.alpha is None else self.alpha,
            "scales": tuple(scales),
            "consistent_weight": self.consistent_weight,
            "complementary_weight": self.beta,
            "reduction": self.reduction,
            "agreement": self.agreement,
            "warmup_epochs": warmup,
        }
        ce_weight = published.ce_weight if self.ce_weight is None else _number(self.ce_weight)
        return Method(ce_weight=ce_weight, logit=LogitTerm(**term), features=self.features)


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


def at_paper(method: Distillation, pair: tuple[str, str] = ("", "")) -> Distillation:
    """``method`` with every domain at the paper's value for ``pair`` (teacher, student)."""
    base = (
        "kd" if is_domain(method.base) and "kd" in options_of(method.base) else next(options_of(method.base))
    )
    published = paper.base_loss(str(base))
    defaults = {item.name: item.default for item in dataclasses.fields(Distillation)}
    values: dict[str, Any] = {}
    for name, of_base, domain in method.domains():
        if of_base is not None:
            if of_base == base:
                option = name.split(".", 1)[1]
                values[name] = published.options.get(
                    option, next(options_of(domain), getattr(domain, "low", None))
                )
        elif name == "base":
            values[name] = base
        elif name == "scales":
            values[name] = paper.scales(*pair)
        elif name in ("alpha", "ce_weight", "warmup_epochs"):
            values[name] = getattr(published, name)
        else:
            values[name] = defaults[name]
    return method.with_values(values)


def stored_point(method: Distillation, at: Distillation) -> Point | None:
    """The values of ``at`` for the domains of ``method`` as Optuna stores them; None if one lies outside."""
    point: Point = {}
    for name, base, domain in method.domains():
        if base is not None and base != at.base:
            continue
        value = at.options[base][name.split(".", 1)[1]] if base is not None else getattr(at, name)
        stored = domain.stored(value)
        if stored is None:
            return None
        point[name] = stored
    return point
