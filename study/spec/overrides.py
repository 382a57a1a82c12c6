"""Replaces one field of a spec, as ``--set path=value`` asks, and checks it like the file."""

from __future__ import annotations

import dataclasses
from typing import Any, cast

from study.spec import domains
from study.spec.checked import rebuild
from study.spec.literals import read_value
from trainables.config.serialization import ConfigError, convert, field_types
from trainables.errors import suggestion


def apply_override(spec: Any, override: str) -> Any:
    """Replace one field of ``spec``: ``a.b.0.c=value``; the value as :func:`read_value` has it."""
    target, equals, text = override.partition("=")
    if not equals or not target.strip():
        raise ConfigError(f"--set {override}: write it as path=value, such as budget.trials=20")
    path = target.strip()
    try:
        value = read_value(text)
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from None
    return _replace(spec, path.split("."), value, path)


def _replace(value: Any, steps: list[str], new: Any, path: str, hint: Any = None) -> Any:
    if not steps:
        return convert(hint, new, path)
    step, rest = steps[0], steps[1:]
    if isinstance(value, tuple) and not domains.is_domain(value):
        if not step.isdigit() or int(step) >= len(value):
            raise ConfigError(f"{path}: '{step}' is not an index below {len(value)}")
        index = int(step)
        item_hint = type(value[index])
        return (*value[:index], _replace(value[index], rest, new, path, item_hint), *value[index + 1 :])
    if isinstance(value, dict):
        return {**value, step: _replace(value.get(step, {}), rest, new, path, Any)}
    if not dataclasses.is_dataclass(value) or domains.is_domain(value):
        raise ConfigError(f"{path}: there is nothing inside to set ('{step}')")
    hints = field_types(cast(Any, type(value)))
    if step not in hints:
        raise ConfigError(f"{path}: unknown field '{step}'; {suggestion(step, hints)}")
    field = _replace(getattr(value, step), rest, new, path, hints[step])
    fields = {name: getattr(value, name) for name in hints} | {step: field}
    return rebuild(type(value), fields, path.rpartition(".")[0])
