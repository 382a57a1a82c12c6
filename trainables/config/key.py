"""Decides which fields of a configuration its key, and the names of searches, are hashes of.

A field that comes later must leave the keys of finished trials as they are: it is declared with
:data:`SINCE_LATER`, and counts only where it is not at its default.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import typing
from collections.abc import Mapping
from typing import Any

from trainables.config.serialization import field_types, to_plain

NOT_IN_KEY: Mapping[str, Any] = {"in_key": False}
"""Field metadata: the field says where a thing is, not what it is, and stays out of the trial key."""
SINCE_LATER: Mapping[str, Any] = {"in_key": "unless default"}
"""Field metadata: at its default the field stays out of the key, as it did before it was there."""
NAMED_SEARCHES: Mapping[str, Any] = {"in_search_name": True}
"""Field metadata: names of searches always held the field, see :func:`without_later_fields`."""


def key_of(config: Any) -> str:
    """Return the first 16 hex digits of the SHA-256 of canonical JSON: sorted keys, locations left out.

    >>> from trainables.config import Training
    >>> key_of(Training()) == key_of(Training(clip_norm=None)) != key_of(Training(clip_norm=40.0))
    True
    """
    text = json.dumps(_keyed(config), sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _keyed(value: Any) -> Any:
    """Return ``to_plain``'s result without fields that are not in the key; 4.0 and 4 are the same number."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        kept = {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if _in_key(f, value)}
        return {name: _keyed(item) for name, item in kept.items()}
    if isinstance(value, Mapping):
        return {key: _keyed(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [_keyed(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def without_later_fields(value: Any) -> Any:
    """Return :func:`to_plain` of ``value``, less the fields of :data:`SINCE_LATER` at their defaults.

    Names of searches are hashes of it: a field that is new must not give every search a new name.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        every = dataclasses.fields(value)
        kept = [item for item in every if item.metadata.get("in_search_name") or _changed(item, value)]
        return {item.name: without_later_fields(getattr(value, item.name)) for item in kept}
    if isinstance(value, Mapping):
        return {str(key): without_later_fields(item) for key, item in value.items()}
    if isinstance(value, (tuple, list)):
        return [without_later_fields(item) for item in value]
    return to_plain(value)


def plain_without_later_fields(kind: type, data: Mapping[str, Any]) -> dict[str, Any]:
    """Return what :func:`without_later_fields` gives for the ``kind`` that ``data`` was written from.

    Nothing is built or checked, so that thousands of configurations take a moment; what an older version
    did not write has its default.

    >>> from trainables.config import Training
    >>> from trainables.config.serialization import to_plain
    >>> changed = Training(lr=0.1)
    >>> plain_without_later_fields(Training, to_plain(changed)) == without_later_fields(changed)
    True
    """
    kept = dict(data)
    for name, default, later, inner in _layout(kind):
        value = kept.get(name, default)
        if later and value == default:
            kept.pop(name, None)
        elif inner is not None and isinstance(value, Mapping):
            kept[name] = plain_without_later_fields(inner, value)
        elif inner is not None and isinstance(value, (list, tuple)):
            kept[name] = [plain_without_later_fields(inner, item) for item in value]
        elif value is not dataclasses.MISSING:
            kept[name] = value
    return kept


@functools.cache
def _layout(kind: type) -> tuple[tuple[str, Any, bool, type | None], ...]:
    """List name, plain default, whether it came later, and the dataclass within, of each of the fields."""
    hints = field_types(kind)
    return tuple(
        (
            item.name,
            to_plain(_default(item)),
            item.metadata.get("in_key") == "unless default" and not item.metadata.get("in_search_name"),
            _dataclass_in(hints[item.name]),
        )
        for item in dataclasses.fields(kind)
    )


def _dataclass_in(hint: Any) -> type | None:
    """Return the dataclass that a field of type ``hint`` holds: by itself, or None, or a tuple of it."""
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return hint
    return next(filter(None, map(_dataclass_in, typing.get_args(hint))), None)


def _default(item: dataclasses.Field[Any]) -> Any:
    """Return a field's default, ``dataclasses.MISSING`` where it has none."""
    return item.default if item.default_factory is dataclasses.MISSING else item.default_factory()


def _changed(item: dataclasses.Field[Any], of: Any) -> bool:
    """Tell whether a field counts: not where one of :data:`SINCE_LATER` is at its default."""
    if item.metadata.get("in_key") != "unless default":
        return True
    return bool(getattr(of, item.name) != _default(item))


def _in_key(item: dataclasses.Field[Any], of: Any) -> bool:
    return bool(item.metadata.get("in_key", True)) and _changed(item, of)
