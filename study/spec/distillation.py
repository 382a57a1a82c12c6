"""Declares a method of distillation whose fields hold values or domains."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from study.spec import published as paper
from study.spec.domains import Choice, Domain, OptunaTrial, is_domain, options_of
from study.spec.features import Added
from study.spec.knobs import declared, knob
from study.spec.published import ANY_CASE, PaperCase
from study.spec.searchable import Point
from study.spec.training import checked_changes, closed_value
from trainables.config.key import SINCE_LATER
from trainables.config.method import LogitTerm, Method
from trainables.config.open_values import guarded
from trainables.config.serialization import ConfigError, require
from trainables.losses import check_logit_loss, feature_loss_spec, logit_loss_fingerprint
from trainables.models.names import resolve


@dataclass(frozen=True, slots=True, kw_only=True)
@guarded(None)
class Distillation:
    """Holds a method of distillation, each field a value or a domain.

    Its loss is ce_weight * L_CE + alpha * (consistent_weight * D_con + beta * D_com) + features (eq. 10, 11).
    Each field declared with :func:`knob` may hold a domain; its line here is all that declares it.

    >>> from study.spec import SDD, LogFloat
    >>> method = SDD(base="dkd", beta=LogFloat(1, 8))
    >>> method.label, [name for name, _, _ in method.domains()]
    ('SD-DKD', ['beta'])
    >>> method.at_paper().beta
    2.0

    Attributes:
        base: a logit loss, built in (docs/losses.md) or registered; None for no logit loss.
        alpha, ce_weight, warmup_epochs: None means the published value of the base, for the pair and data.
        scales: the set M; None means the paper's for the pair.
        beta: weight of the complementary term.
        options: parameters of the base losses, by base: ``{"dkd": {"beta": Float(2, 10)}}``; what is not
            named keeps its published value, and domains of a base are asked for only when it is chosen.
        standardize: ``no``, each ``region`` by its own spread, or all by that of the ``whole`` image.
        pooling: what regions are pooled from: the ``map`` (eq. 6), or 4x4 cells of it, as ``released``.
        maps: which maps of wide ResNets, MobileNetV2 and ShuffleV2 feature losses compare: ``released`` (what
            None stands for) or ``activated``; see ``Method.maps``.
        features: feature losses that are added.
        training: fields of :class:`Training` for this method alone, values or domains: ``{"lr": 0.02}``.
    """

    base: str | Choice | None = knob("kd", column=1)
    alpha: float | Domain | None = knob(None, column=3)
    beta: float | Domain = knob(paper.BETA, field="complementary_weight", column=4)
    scales: tuple[int, ...] | Choice | None = knob(None, column=2)
    options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ce_weight: float | Domain | None = knob(None, holder=Method)
    consistent_weight: float | Domain = knob(1.0, column=10)
    reduction: str | Choice = knob("mean")
    agreement: str | Choice = knob("released")
    warmup_epochs: int | Domain | None = knob(None)
    standardize: str | Choice = knob("no", since_later=True)
    pooling: str | Choice = knob("map", since_later=True)
    maps: str | Choice | None = knob(None, holder=Method, since_later=True)
    features: tuple[Added, ...] = ()
    training: Mapping[str, Any] = field(default_factory=dict, metadata=SINCE_LATER)

    def __post_init__(self) -> None:
        try:
            checked_changes(self.training)
        except ConfigError as error:
            raise ConfigError(f"training.{error}") from None
        bases = list(options_of(self.base))
        for base in self.options:
            require(
                base in bases,
                f"options: '{base}' is not a base of this method ({', '.join(map(str, bases))}); "
                f"they stand by base: options={{'{bases[0]}': {{'{base}': ...}}}}",
            )
        for scales in options_of(self.scales):
            for pooling in options_of(self.pooling) if scales is not None else ():
                LogitTerm(scales=scales, pooling=pooling)  # refuses a set that is none, and what does not fit

    @classmethod
    def of(cls, method: Method) -> Distillation:
        """Return the method without domains that resolves to ``method`` in any case."""
        features = tuple(map(Added.of, method.features))
        logit = method.logit
        holders: dict[type, Any] = {Method: method, LogitTerm: logit}
        known: dict[str, Any] = {
            row.name: getattr(holders[row.holder], row.field)
            for row in METHOD_KNOBS
            if holders[row.holder] is not None
        }
        if logit is None:
            return cls(**{**known, "base": None}, features=features)
        return cls(
            **known, options={logit.base: dict(logit.options)} if logit.options else {}, features=features
        )

    @property
    def label(self) -> str:
        """Name of the row where it is fixed: SD-KD, KD, FITNET; SDD where the base is searched."""
        if is_domain(self.base):
            return "SDD"
        return self.at_paper().method().label

    @property
    def searched(self) -> bool:
        """Tell whether any field holds a domain."""
        return any(True for _ in self.domains()) or any(map(is_domain, self.training.values()))

    @property
    def stores_options(self) -> bool:
        """False: Optuna gets labels."""
        return False

    @property
    def plain(self) -> bool:
        """Tell whether the base loss is by itself: M = {1} and weights of 1, none of them searched."""
        return self.scales == (1,) and (self.beta, self.consistent_weight) == (1.0, 1.0)

    def _maps_differ(self, case: PaperCase) -> bool:
        """Tell whether a feature loss here reads maps of a network that has two kinds of them."""
        networks = [name for name in (case.teacher, case.student) if name]
        reads = any(feature_loss_spec(added.name).reads_maps for added in self.features)
        return reads and any(resolve(name).closing_layers for name in networks)

    def slots(self) -> Iterator[tuple[str, str | None, Any]]:
        """Yield (name in a search, base it belongs to or None, value) of all that may be searched."""
        for row in METHOD_KNOBS:
            yield row.name, None, getattr(self, row.name)
        for base, options in self.options.items():
            for name, value in options.items():
                yield f"{base}.{name}", base, value
        for added in self.features:
            for name, value in added.slots():
                yield name, None, value

    def domains(self) -> Iterator[tuple[str, str | None, Domain]]:
        """Return (name, base it belongs to or None, domain) of all that is searched, but of the training."""
        return ((name, base, value) for name, base, value in self.slots() if is_domain(value))

    def suggest(self, trial: OptunaTrial) -> Distillation:
        """Return the method with each of :meth:`domains` replaced by what ``trial`` suggests."""
        values: dict[str, Any] = {}
        for name, base, domain in self.domains():
            if base is None or base == values.get("base", self.base):
                values[name] = domain.suggest(trial, name)
        return self.with_values(values)

    def with_values(self, values: Mapping[str, Any]) -> Distillation:
        """Put values in by name; ``dkd.beta`` is a base's, ``sp.weight`` a feature loss's."""
        known = {name for name, _, _ in self.slots()}
        unknown = [name for name in values if name not in known]
        require(not unknown, f"{', '.join(unknown)}: not a knob of this method")
        fields = {row.name: values.get(row.name, getattr(self, row.name)) for row in METHOD_KNOBS}
        options = {
            base: {name: values.get(f"{base}.{name}", value) for name, value in of_base.items()}
            for base, of_base in self.options.items()
            if is_domain(fields["base"]) or base == fields["base"]
        }
        features = tuple(added.with_values(values) for added in self.features)
        return dataclasses.replace(self, **fields, options=options, features=features)

    def variants(self) -> tuple[Distillation, ...]:
        """Return the method itself, the one variant that fields can give."""
        return (self,)

    def method(self, case: PaperCase = ANY_CASE) -> Method:
        """Return the configuration of the data plane in ``case``; no field may hold a domain any more."""
        case = dataclasses.replace(case, plain=self.plain)
        published = {**paper.settings(str(self.base), case, str(self.standardize)), "maps": "released"}
        terms: dict[type, dict[str, Any]] = {Method: {}, LogitTerm: {}}
        for row in METHOD_KNOBS:
            value = getattr(self, row.name)
            terms[row.holder][row.field] = published.get(row.name) if value is None else value
        if not self._maps_differ(case):
            terms[Method]["maps"] = "activated"
        features = tuple(added.term(case) for added in self.features)
        if self.base is None:
            return Method(**terms[Method], features=features)
        base = str(self.base)
        own = paper.base_loss(base, case, str(self.standardize)).options
        options = {**own, **self.options.get(base, {})}
        terms[LogitTerm] |= {
            "options": check_logit_loss(base, options),
            "code": logit_loss_fingerprint(base),
        }
        logit = LogitTerm(**terms[LogitTerm])
        return Method(**terms[Method], logit=logit, features=features)

    def at_paper(self, case: PaperCase = ANY_CASE) -> Distillation:
        """Return the method with every domain at the paper's value in ``case``."""
        bases = list(options_of(self.base))
        base = "kd" if "kd" in bases else bases[0]
        standardize = "no" if is_domain(self.standardize) else str(self.standardize)
        case = dataclasses.replace(case, plain=self.plain)
        known: dict[str, Any] = {row.name: row.default for row in METHOD_KNOBS}
        known |= {**paper.settings(str(base), case, standardize), "base": base, "maps": "released"}
        for added in self.features:
            known |= added.published(case)
        if base is not None:
            options = check_logit_loss(str(base), paper.base_loss(str(base), case, standardize).options)
            known |= {f"{base}.{option}": value for option, value in options.items()}
        fixed = self.with_values(
            {name: known[name] for name, of_base, _ in self.domains() if of_base in (None, base)}
        )
        optimizer = closed_value("optimizer", self.training.get("optimizer", "sgd"))
        training = {name: closed_value(name, value, case, optimizer) for name, value in self.training.items()}
        return dataclasses.replace(fixed, training=training)

    def paper_point(self, case: PaperCase = ANY_CASE) -> Point | None:
        """Return the point of the paper's configuration in the search space; None where it lies outside."""
        published = self.at_paper(case)
        values = {name: value for name, _, value in published.slots()}
        point: Point = {
            name: domain.stored(values[name])
            for name, base, domain in self.domains()
            if base in (None, published.base)
        }
        return None if None in point.values() else point

    def point_at(self, settings: Mapping[str, Any]) -> Point:
        """Return the values in ``settings`` of what is searched, where they lie in their domains."""
        found = {
            name: domain.stored(settings[name]) for name, _, domain in self.domains() if name in settings
        }
        return {name: value for name, value in found.items() if value is not None}


METHOD_KNOBS = declared(Distillation)
"""The knobs of a method, in the order in which a search asks for them."""
