"""Decides which fields may hold values that a study has still to choose, one for each trial.

A study's ``Training(lr=LogFloat(0.01, 0.2))`` is the class that a trial's configuration has, with a field
left open. A trial holds no open value: :class:`TrialConfig` refuses one.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from itertools import islice, product
from typing import Any, TypeVar, get_args

from trainables.config.serialization import ConfigError, OpenValue, convert, field_types

MOST_CORNERS = 256
"""Combinations of extremes that are checked where several fields of one object are open."""

NOT_SEARCHED: Mapping[str, Any] = {"searched": False}
"""Field metadata of a class that may be searched: this field may not."""
SEARCHED: Mapping[str, Any] = {"searched": True}
"""Field metadata of any other class: this field may be searched all the same."""

T = TypeVar("T")


def only_with(name: str, *values: Any) -> Mapping[str, Any]:
    """Return field metadata that says: the field means something only where ``name`` is one of ``values``."""
    return {"only_with": (name, values)}


def check_meaning(value: Any, name: str) -> None:
    """Raise :class:`ConfigError` for a field set to something where field ``name`` makes it mean nothing.

    Which fields those are says their :func:`only_with`.
    """
    for item in dataclasses.fields(value):
        needs = item.metadata.get("only_with", ("", ()))
        if (
            needs[0] == name
            and getattr(value, name) not in needs[1]
            and getattr(value, item.name) != item.default
        ):
            raise ConfigError(
                f"{item.name}: {getattr(value, item.name)} means nothing where {name} is "
                f"{getattr(value, name)!r}, only with {' or '.join(map(repr, needs[1]))}; leave it out"
            )


def with_values(of: T, values: Mapping[str, Any]) -> T:
    """Return dataclass ``of`` with ``values`` in its open fields; the default where one means nothing.

    >>> from trainables.config.training import Training
    >>> with_values(Training(lr=0.001, optimizer="adamw"), {"momentum": 0.5}).momentum
    0.9
    """
    about: Any = {item.name: item for item in dataclasses.fields(of)}  # type: ignore[arg-type]
    found = dict(values)
    for name in values:
        needs = about[name].metadata.get("only_with")
        if needs is not None and values.get(needs[0], getattr(of, needs[0])) not in needs[1]:
            found[name] = about[name].default
    made: T = dataclasses.replace(of, **found)  # type: ignore[type-var]
    return made


def may_be_searched(kind: Any, name: str) -> bool:
    """Tell whether field ``name`` of dataclass ``kind`` may hold an open value.

    >>> from trainables.config.training import Training
    >>> may_be_searched(Training, "lr"), may_be_searched(Training, "precision")
    (True, False)
    """
    about = {item.name: item.metadata for item in dataclasses.fields(kind)}[name]
    usual = getattr(kind, "searched_by_default", False)
    if usual is None:
        hint = field_types(kind)[name]
        parts = get_args(hint) or (hint,)
        return any(isinstance(part, type) and issubclass(part, OpenValue) for part in parts)
    return bool(about.get("searched", usual))


def open_fields(value: Any) -> dict[str, OpenValue]:
    """Return the open fields of a dataclass, by name."""
    held = ((item.name, getattr(value, item.name)) for item in dataclasses.fields(value))
    return {name: found for name, found in held if isinstance(found, OpenValue)}


def guarded(searched: bool | None = False) -> Callable[[type[T]], type[T]]:
    """Let a dataclass, decorated above this, name the field of a wrong type, and check its open fields.

    An open field has to be one that may be searched, and each of its extremes one that the field would take
    by itself. What the class checks in ``__post_init__`` is checked of each combination of extremes; a
    ``TypeError`` in it becomes a :class:`ConfigError` that names the field of the wrong type.

    Args:
        searched: whether fields may be open that do not say otherwise; None leaves that to their types.
    """

    def decorate(kind: type[T]) -> type[T]:
        body: Callable[[Any], None] = kind.__dict__.get("__post_init__", lambda self: None)

        @functools.wraps(body)
        def check(self: Any) -> None:
            opened = open_fields(self)
            for name in opened:
                check_searched(type(self), name)
            if opened and searched is not None:
                _check_open(self, opened)
                return
            try:
                body(self)
            except (TypeError, AttributeError):
                for name, hint in field_types(self.__class__).items():
                    convert(hint, getattr(self, name), name)
                raise

        setattr(kind, "__post_init__", check)  # noqa: B010 - mypy refuses the assignment
        setattr(kind, "searched_by_default", searched)  # noqa: B010
        return kind

    return decorate


def _check_open(value: Any, opened: Mapping[str, OpenValue]) -> None:
    """Raise :class:`ConfigError` unless every extreme of the open fields of ``value`` would do as a value."""
    hints = field_types(value.__class__)
    for name, found in opened.items():
        convert(hints[name], found, name)
    ends = {name: found.extremes() for name, found in opened.items()}
    first = {name: found[0] for name, found in ends.items()}
    needs: dict[str, tuple[str, tuple[Any, ...]]] = {
        item.name: item.metadata["only_with"]
        for item in dataclasses.fields(value)
        if item.metadata.get("only_with", ("",))[0] in ends
    }
    for name, extremes in ends.items():
        other, meant = needs.get(name, ("", ()))
        where = [{other: each} for each in ends.get(other, ()) if each in meant] or [{}]
        for extreme, rest in product(extremes, where):
            with_values(value, {**first, **rest, name: extreme})
    for corner in islice(product(*ends.values()), MOST_CORNERS):
        with_values(value, dict(zip(ends, corner, strict=True)))


def check_searched(kind: Any, name: str) -> None:
    """Raise :class:`ConfigError` where field ``name`` of ``kind`` is the same for all trials of a study."""
    if not may_be_searched(kind, name):
        raise ConfigError(f"{name}: cannot be searched, it is the same for all trials; give one value")
