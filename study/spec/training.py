"""Says how students are trained, where that is searched: domains in ``Training`` and in changes to it.

A domain in the study's training, or in its data, is of every method, baselines included: all are tuned alike.
A pair's or a method's ``training`` replaces fields for that pair or method alone, with values or domains.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from study.spec import published as paper
from study.spec.domains import is_domain, value_in
from study.spec.knobs import Knob, fields_of
from study.spec.published import ANY_CASE, PaperCase
from trainables.config.data import Data
from trainables.config.open_values import check_searched, open_fields, with_values
from trainables.config.serialization import ConfigError, convert
from trainables.config.training import WITH_MOMENTUM, DefaultRate, Training
from trainables.errors import suggestion

TRAINING_KNOBS: Mapping[str, Knob] = {row.name: row for kind in (Training, Data) for row in fields_of(kind)}
"""The knobs of a trial beside its method's, by name."""

Part = TypeVar("Part", Training, Data)


def checked_changes(changes: Mapping[str, Any]) -> dict[str, Any]:
    """Give the changes that a pair or a method makes to the training, each in the type of its field.

    Raises:
        ConfigError: there is no such field, or it takes no such value; the message starts with its name.
    """
    found = {}
    for name, value in changes.items():
        row = TRAINING_KNOBS.get(name)
        if row is None:
            if name in {item.name for item in dataclasses.fields(Training)}:
                check_searched(Training, name)
            raise ConfigError(f"{name}: training has no such field; {suggestion(name, TRAINING_KNOBS)}")
        found[name] = convert(row.kind, value, name)
    return found


def changed(part: Part, changes: Mapping[str, Any]) -> Part:
    """Return ``part`` with those of ``changes`` that are its own."""
    found = checked_changes(changes)
    own = {name: value for name, value in found.items() if TRAINING_KNOBS[name].holder is type(part)}
    return dataclasses.replace(part, **own) if own else part


def corners(training: Training) -> Iterator[Training]:
    """Yield trainings at the extremes of what is searched, each domain by itself; itself where nothing is."""
    yield closed(training)
    for name, domain in open_fields(training).items():
        for extreme in domain.extremes():
            yield with_values(closed(training), {name: extreme})


def published_value(name: str, case: PaperCase = ANY_CASE) -> Any:
    """Return the paper's value of a knob of the training, for a student on a data set."""
    row = TRAINING_KNOBS[name]
    if row.holder is not Training:
        return row.default
    found = getattr(paper.TRAINING.get(case.data, Training()), name)
    own = paper.learning_rate(case.student) if name == "lr" and found == row.default else None
    return found if own is None else own


def closed(part: Part, case: PaperCase = ANY_CASE) -> Part:
    """Return ``part`` with each domain at the paper's value, or half-way where that lies outside of it."""
    optimizer = closed_value("optimizer", getattr(part, "optimizer", "sgd"))
    values = {name: closed_value(name, domain, case, optimizer) for name, domain in open_fields(part).items()}
    return with_values(part, values) if values else part


def closed_value(name: str, value: Any, case: PaperCase = ANY_CASE, optimizer: str = "sgd") -> Any:
    """Return ``value``, or what stands for it where it is a domain, see :func:`closed`.

    Published rates are SGD's, which DOT's are too; of another ``optimizer`` the rate half-way stands for a
    domain.
    """
    if not is_domain(value):
        return value
    if name == "lr" and optimizer not in WITH_MOMENTUM:
        return value.middle()
    found = value_in(value, published_value(name, case))
    return float(found) if isinstance(found, DefaultRate) else found
