"""Replaces one field of a spec, as ``--set path=value`` asks, and checks it like the file."""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Callable
from typing import Any, cast

from study.spec import domains
from study.spec.search import ASHA, HyperBand, Median
from trainables.config.serialization import ConfigError, convert, field_types
from trainables.errors import one_line, suggestion

PARSED: dict[str, Callable[..., Any]] = {
    call.__name__: call
    for call in (domains.Float, domains.Int, domains.LogFloat, domains.Choice, ASHA, HyperBand, Median)
}
"""Calls that an override may hold beside literals: domains and stopping rules."""


def apply_override(spec: Any, override: str) -> Any:
    """Replace one field of ``spec``: ``a.b.0.c=value``; the value is a literal, a domain or plain text."""
    target, equals, text = override.partition("=")
    if not equals or not target.strip():
        raise ConfigError(f"--set {override}: write it as path=value, such as budget.trials=20")
    path = target.strip()
    return _replace(spec, path.split("."), _parse(text.strip(), path), path)


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


def _parse(text: str, path: str) -> Any:
    """Read a Python literal or a call such as ``Float(1, 8)``; what is neither stays text."""
    called = None
    try:
        node = ast.parse(text, mode="eval").body
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PARSED:
            called = PARSED[node.func.id]
            args = [ast.literal_eval(item) for item in node.args]
            keywords = {item.arg: ast.literal_eval(item.value) for item in node.keywords if item.arg}
            return called(*args, **keywords)
        return ast.literal_eval(node)
    except (SyntaxError, ValueError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise ConfigError(f"{path}: {error}") from None
        if called is not None:
            usable = "its arguments are numbers, texts and tuples"
            raise ConfigError(f"{path}: cannot read {text} ({usable}: {one_line(error)})") from None
        return text


def rebuild(kind: Any, fields: dict[str, Any], path: str) -> Any:
    """Make dataclass ``kind`` from its fields; what it refuses is said with the path."""
    try:
        return kind(**fields)
    except ConfigError as error:
        raise ConfigError(f"{path}.{error}" if path else str(error)) from None
