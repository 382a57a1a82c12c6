"""Says what one search may vary: a method, how its students are trained, the pairs it may choose among."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from study.spec.distillation import Distillation
from study.spec.domains import Choice, Domain, OptunaTrial, extremes, is_domain, label
from study.spec.known_answers import KnownAnswers
from study.spec.searchable import Point, SearchableMethod
from study.spec.settings import settings_of
from study.spec.study import Pair
from study.spec.training import TRAINING_KNOBS, changed, closed_value
from trainables.config.data import Data
from trainables.config.training import Training

Condition = tuple[str, tuple[Any, ...]]
"""A name in the search, and the values of it with which something else is asked for."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """Names one thing that a search varies, with its domain.

    >>> Dimension("dkd.beta", Choice(2.0, 8.0), "dkd.beta", when=(("base", ("dkd",)),)).domain.stored(8)
    '8.0'

    Attributes:
        name: in Optuna, in ``enqueue``, in tables.
        knob: the name under which a trial's settings have its value, see :mod:`study.spec.settings`.
        when: it is asked for only where all of these hold.
    """

    name: str
    domain: Domain
    knob: str
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """Holds one search: a method, how it is trained, and the pair, or the pairs among which it may choose.

    >>> from study.spec import SDD, LogFloat
    >>> pair = Pair("resnet20", "resnet8")
    >>> method, training = SDD(beta=LogFloat(1, 8)), Training(lr=LogFloat(0.01, 0.2))
    >>> space = SearchSpace(method, (pair,), "small", Data(name="cifar100"), training)
    >>> [each.name for each in space.dimensions()], space.paper_point(pair)
    (['beta', 'lr'], {'beta': 2.0, 'lr': 0.05})

    Attributes:
        fingerprint: hash of what is searched, for what, and of all that is the same in its trials; where it
            changes, the Optuna study is another one.
        training, data: the study's, with whatever of them is searched.
        chosen: what the search calls its choice among ``pairs``: the pair, or only its teacher.
    """

    method: SearchableMethod
    pairs: tuple[Pair, ...]
    label: str
    data: Data
    training: Training
    fingerprint: str = ""
    chosen: Literal["pair", "teacher"] = "pair"
    _fields: Mapping[str, Mapping[str, Any]] = field(init=False, repr=False, compare=False)
    _dimensions: tuple[Dimension, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        fields = {self.pair_label(pair): self._trained_by(pair) for pair in self.pairs}
        object.__setattr__(self, "_fields", fields)
        found = sorted(self._unordered(), key=lambda each: bool(TRAINING_KNOBS[each.knob].only_with))
        object.__setattr__(self, "_dimensions", tuple(found))  # what others depend on comes first

    @property
    def pair_domain(self) -> Choice | None:
        """Domain of the choice among the pairs; None for a single pair."""
        if len(self.pairs) == 1:
            return None
        return Choice(*(self.pairs if self.chosen == "pair" else [pair.teacher for pair in self.pairs]))

    def pair_label(self, pair: Pair) -> str:
        """Return what Optuna stores for ``pair``."""
        return label(pair if self.chosen == "pair" else pair.teacher)

    def dimensions(self) -> list[Dimension]:
        """Return all that the search may ask for, but for the pair."""
        own = [
            Dimension(name, domain, name, () if base is None else (("base", (base,)),))
            for name, base, domain in self.method.domains()
        ]
        return [*own, *self._dimensions]

    def trains(self, each: Dimension) -> bool:
        """Tell whether a dimension is one of the training, not of the method."""
        return each in self._dimensions

    def suggest(self, trial: OptunaTrial) -> tuple[Pair, Distillation]:
        """Return the pair and the method, with how it is trained, at the point that ``trial`` suggests."""
        pair, domain = self.pairs[0], self.pair_domain
        if domain is not None:
            answer = label(domain.suggest(trial, self.chosen))
            pair = next(pair for pair in self.pairs if self.pair_label(pair) == answer)
        return pair, self._trained(trial, pair, self.method.suggest(trial))

    def at_paper(self, pair: Pair) -> Distillation:
        """Return the method with its training, all that is searched at the paper's value on ``pair``."""
        return self._paper(KnownAnswers(self._paper_answers(pair)), pair)

    def paper_point(self, pair: Pair) -> Point | None:
        """Return the point of :meth:`at_paper` as Optuna stores it; None where it lies outside the space."""
        point = self.method.paper_point(pair.case(self.data.name))
        if point is None:
            return None
        trial = KnownAnswers({**self._paper_answers(pair), **point})
        self._paper(trial, pair)
        chosen: Point = {self.chosen: self.pair_label(pair)} if self.pair_domain is not None else {}
        return {**chosen, **point, **trial.params}

    def point_at(self, config: Mapping[str, Any]) -> Point:
        """Read a point off a trial's configuration: what was fixed when it ran may be searched now."""
        settings = settings_of(config)
        found = {
            each.name: each.domain.stored(settings[each.knob])
            for each in self._dimensions
            if each.knob in settings
        }
        known = {name: value for name, value in found.items() if value is not None}
        return {**self.method.point_at(settings), **known}

    def _trained(self, trial: OptunaTrial, pair: Pair, method: Distillation) -> Distillation:
        """Return ``method`` with all of its training that is searched as ``trial`` suggests."""
        fixed = {name: value for name, value in method.training.items() if not is_domain(value)}
        case = pair.case(self.data.name)
        known = self._fields[self.pair_label(pair)]
        values = {name: closed_value(name, value, case) for name, value in known.items()} | fixed
        asked: dict[str, Any] = {}
        for each in self._dimensions:
            if each.knob in fixed or not _allows(each, self.chosen, self.pair_label(pair)):
                continue
            if _applies(each.knob, values):
                asked[each.knob] = each.domain.suggest(trial, each.name)
            else:
                asked[each.knob] = TRAINING_KNOBS[each.knob].default
            values[each.knob] = asked[each.knob]
        return dataclasses.replace(method, training={**fixed, **asked})

    def _paper(self, trial: OptunaTrial, pair: Pair) -> Distillation:
        at_paper = self.method.at_paper(pair.case(self.data.name))
        return self._trained(trial, pair, dataclasses.replace(at_paper, training=self.method.training))

    def _trained_by(self, pair: Pair) -> dict[str, Any]:
        """Return how the student of ``pair`` is trained by this method: values or domains, by field."""
        changes = self.method.training
        parts = (changed(pair.student_training(self.training), changes), changed(self.data, changes))
        return {
            item.name: getattr(part, item.name)
            for part in parts
            for item in dataclasses.fields(part)
            if item.name in TRAINING_KNOBS
        }

    def _unordered(self) -> Iterator[Dimension]:
        """Yield the dimensions of the training, under one name where it is the same for all that have it."""
        by_pair = {
            pair: {name: value for name, value in fields.items() if is_domain(value)}
            for pair, fields in self._fields.items()
        }
        for name in dict.fromkeys(name for found in by_pair.values() for name in found):
            having = {where: found[name] for where, found in by_pair.items() if name in found}
            needs = TRAINING_KNOBS[name].only_with
            depends = ((needs[0], self._among(*needs)),) if needs and self._varies(needs[0]) else ()
            first = next(iter(having.values()))
            if all(domain == first for domain in having.values()):
                where = () if len(having) == len(by_pair) else ((self.chosen, tuple(having)),)
                yield Dimension(name, first, name, (*where, *depends))
                continue
            for pair, domain in having.items():
                yield Dimension(f"{pair}.{name}", domain, name, ((self.chosen, (pair,)), *depends))

    def _varies(self, name: str) -> bool:
        return any(is_domain(fields.get(name)) for fields in self._fields.values())

    def _among(self, name: str, values: tuple[Any, ...]) -> tuple[Any, ...]:
        """Return those of ``values`` that field ``name`` of the training may have here."""
        possible = [value for fields in self._fields.values() for value in extremes(fields[name])]
        return tuple(value for value in values if value in possible)

    def _paper_answers(self, pair: Pair) -> dict[str, Any]:
        """Return the paper's value, or what stands for it, of each dimension of the training."""
        case = pair.case(self.data.name)
        optimizer = closed_value("optimizer", self._fields[self.pair_label(pair)]["optimizer"])
        return {each.name: closed_value(each.knob, each.domain, case, optimizer) for each in self._dimensions}


def _allows(each: Dimension, chosen: str, pair: str) -> bool:
    """Tell whether a dimension belongs to the pair of that label."""
    return all(pair in values for name, values in each.when if name == chosen)


def _applies(name: str, values: Mapping[str, Any]) -> bool:
    """Tell whether a field of the training means something with these values of the others."""
    needs = TRAINING_KNOBS[name].only_with
    return needs is None or needs[0] not in values or values[needs[0]] in needs[1]
