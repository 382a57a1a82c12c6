"""Converts strictly between frozen dataclasses and plain JSON-like data.

One converter serves every configuration of the project. It never guesses: an unknown key, a missing key or
a value of another type is a :class:`ConfigError` that names the path of the field and, for a misspelt name,
the nearest known one. It imports neither torch nor Ray.
"""

from __future__ import annotations

import dataclasses
import functools
import math
import sys
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union

from trainables.errors import SDDError, suggestion

T = TypeVar("T")
Scalar = bool | int | float | str
"""A value of an option, of a loss or of a data set."""


class ConfigError(SDDError, ValueError):
    """Says what is wrong with a configuration; the message starts with the path of the field.

    >>> from trainables.config import Training
    >>> from_plain(Training, {"learning_rate": 0.1})
    Traceback (most recent call last):
    ...
    trainables.config.serialization.ConfigError: learning_rate: unknown key; known: ...
    """


def require(condition: bool, message: str) -> None:
    """Raise :class:`ConfigError` with ``message`` (``field: what is wrong``) unless ``condition`` holds."""
    if not condition:
        raise ConfigError(message)


class OpenValue:
    """Stands for several values, of which a study chooses one for each trial (``open_values``)."""

    __slots__ = ()

    def extremes(self) -> tuple[Any, ...]:
        """Return the values to check: all of a list, both ends of a range."""
        raise NotImplementedError


def to_plain(value: Any) -> Any:
    """Return dataclasses, tuples and mappings as what JSON can hold; functions by their name."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: to_plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_plain(item) for item in value]
    if isinstance(value, types.FunctionType):
        return value.__qualname__
    return value


def from_plain(kind: type[T], data: Any, path: str = "") -> T:
    """Build dataclass ``kind`` from ``data``; the inverse of :func:`to_plain`.

    Raises:
        ConfigError: an unknown or missing key, a value of the wrong type, or a value the class refuses.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(f"{path or kind.__name__}: expected a mapping, got {_shown(data)}")
    hints = field_types(kind)  # type: ignore[arg-type]
    for key in data:
        if key not in hints:
            raise ConfigError(f"{_join(path, str(key))}: unknown key; {suggestion(str(key), hints)}")
    values = {key: convert(hints[key], item, _join(path, key)) for key, item in data.items()}
    missing = [name for name in _required_fields(kind) if name not in values]  # type: ignore[arg-type]
    if missing:
        raise ConfigError(f"{_join(path, missing[0])}: missing")
    try:
        return kind(**values)
    except ConfigError as error:
        raise ConfigError(_join(path, str(error))) from None


@functools.cache
def _required_fields(kind: type) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(kind) if _required(field))


@functools.cache
def field_types(kind: type) -> dict[str, Any]:
    """Return the resolved type of each field of dataclass ``kind``."""
    hints = typing.get_type_hints(kind)
    return {field.name: hints[field.name] for field in dataclasses.fields(kind)}


def convert(hint: Any, value: Any, path: str) -> Any:
    """Return ``value`` as type ``hint``; lists become tuples, whole numbers floats, nothing else changes.

    >>> convert(tuple[float, ...], [1, 2.5], "field")
    (1.0, 2.5)
    """
    if type(value) is hint and hint in _AS_THEY_ARE:  # most values; a journal has ten thousand trials of them
        return value
    origin, args = _taken_apart(hint)
    if hint is Any:
        return value
    if origin in (Union, types.UnionType):
        return _convert_union(args, value, path)
    if isinstance(value, OpenValue) and not (isinstance(hint, type) and isinstance(value, hint)):
        for extreme in value.extremes():
            convert(hint, extreme, path)
        return value
    if origin is Literal:
        if value in args and type(value) in {type(arg) for arg in args}:
            return value
        allowed = ", ".join(map(repr, args))
        raise ConfigError(f"{path}: {_shown(value)} is not one of {allowed}")
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            alone = isinstance(args[0], type) and isinstance(value, args[0])
            raise ConfigError(f"{path}: expected a list, got {_shown(value)}{' (put it into [ ])' * alone}")
        return tuple(convert(args[0], item, f"{path}.{index}") for index, item in enumerate(value))
    if origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{path}: expected a mapping, got {_shown(value)}")
        return {str(key): convert(args[1], item, _join(path, str(key))) for key, item in value.items()}
    if isinstance(value, hint):
        if isinstance(value, bool) and hint is not bool:
            raise ConfigError(f"{path}: expected {_name(hint)}, got {_shown(value)}")
        if hint is float and not math.isfinite(value):
            raise ConfigError(f"{path}: expected a finite number, got {value}")
        return value
    if dataclasses.is_dataclass(hint) and isinstance(value, Mapping):
        return from_plain(typing.cast(type, hint), value, path)
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > sys.float_info.max:
            raise ConfigError(f"{path}: expected a finite number, got {_shown(value)}")
        return float(value)
    raise ConfigError(f"{path}: expected {_name(hint)}, got {_shown(value)}")


_AS_THEY_ARE = (str, int, bool)


@functools.cache
def _taken_apart(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    return typing.get_origin(hint), typing.get_args(hint)


def _convert_union(args: tuple[Any, ...], value: Any, path: str) -> Any:
    if isinstance(value, OpenValue) and not any(isinstance(a, type) and isinstance(value, a) for a in args):
        for extreme in value.extremes():  # each may be of another of the types: a number, or None
            _convert_union(args, extreme, path)
        return value
    errors = []
    for arg in args:
        if arg is type(None):
            if value is None:
                return None
            continue
        try:
            return convert(arg, value, path)
        except ConfigError as error:
            errors.append(error)
    if len(errors) == 1 or not all(str(error).startswith(f"{path}: expected") for error in errors):
        raise next((e for e in errors if not str(e).startswith(f"{path}: expected")), errors[0])
    raise ConfigError(f"{path}: expected {' or '.join(_name(arg) for arg in args)}, got {_shown(value)}")


def _required(field: dataclasses.Field[Any]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _name(hint: Any) -> str:
    known = {
        float: "a number",
        int: "a whole number",
        str: "a text",
        bool: "True or False",
        type(None): "None",
    }
    return known.get(hint) or str(getattr(hint, "__name__", hint))


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
