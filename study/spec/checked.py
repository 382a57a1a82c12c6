"""Checks dataclasses made in Python, where a field may hold anything, against their declarations."""

from __future__ import annotations

import dataclasses
from typing import Any

from study.spec import domains
from trainables.config.serialization import ConfigError, convert, field_types


def checked(value: Any, path: str = "") -> Any:
    """Return a copy of a dataclass in which every field, at any depth, has its declared type.

    >>> from study.spec.search import ASHA
    >>> checked(ASHA(grace=2.5))
    Traceback (most recent call last):
    trainables.config.serialization.ConfigError: grace: expected a whole number, got 2.5
    """
    if isinstance(value, (list, tuple)):
        return tuple(checked(item, f"{path}.{index}") for index, item in enumerate(value))
    if not dataclasses.is_dataclass(value) or domains.is_domain(value):
        return value
    kind: Any = type(value)
    fields: dict[str, Any] = {}
    for name, hint in field_types(kind).items():
        inner = f"{path}.{name}" if path else name
        fields[name] = convert(hint, checked(getattr(value, name), inner), inner)
    return rebuild(kind, fields, path)


def rebuild(kind: Any, fields: dict[str, Any], path: str) -> Any:
    """Make dataclass ``kind`` from its fields; what it refuses is said with the path."""
    try:
        return kind(**fields)
    except ConfigError as error:
        raise ConfigError(f"{path}.{error}" if path else str(error)) from None
