"""Reads a value from a command line as a space file has it: a literal, a domain, a stopping rule, or text."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from inspect import Parameter, signature
from typing import Any, get_args

from study.spec import domains
from study.spec.checked import checked
from study.spec.search import Search
from trainables.config.serialization import ConfigError, field_types
from trainables.errors import suggestion

RULES: Mapping[str, type[Any]] = {
    kind.__name__: kind for kind in get_args(field_types(Search)["stop"]) if kind is not type(None)
}
"""Stopping rules by name: whatever ``Search(stop=...)`` takes."""

CALLS: Mapping[str, Callable[..., Any]] = {
    **{kind.__name__: kind for kind in (domains.Float, domains.Int, domains.LogFloat, domains.Choice)},
    **RULES,
}
"""Calls that are read beside literals."""

UNREADABLE = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError)
"""What Python's parser raises for what is no literal, or too deep to tell."""


def read_literal(text: str) -> Any:
    """Return the Python literal that ``text`` is, else the text itself.

    >>> read_literal(" (1, 2)"), read_literal("resnet20 ")
    ((1, 2), 'resnet20')
    """
    try:
        return ast.literal_eval(text.strip())
    except UNREADABLE:
        return text.strip()


def read_value(text: str) -> Any:
    """Return what ``text`` writes: a literal, what one of :data:`CALLS` makes, else the text itself.

    >>> read_value("ASHA(grace=3)"), read_value("0.1"), read_value("Aloha(3)")
    (ASHA(grace=3, reduction=None, window=10), 0.1, 'Aloha(3)')

    Raises:
        ConfigError: it is such a call, but with what a space file could not have either.
    """
    try:
        node = ast.parse(text.strip(), mode="eval").body
    except UNREADABLE:
        return text.strip()
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in CALLS:
        return _called(node, node.func.id, text.strip())
    return read_literal(text)


def _called(node: ast.Call, name: str, text: str) -> Any:
    """Return what a call makes, each field of it of its declared type."""
    known = signature(CALLS[name]).parameters
    given: dict[str, Any] = {}
    for field in node.keywords:
        if field.arg is None or field.arg in given:
            fault = "'**' is not read" if field.arg is None else f"{field.arg} is given twice"
            raise ConfigError(f"{name}: {fault}; write each field once, as name=value")
        if field.arg not in known:
            raise ConfigError(f"{name} has no field '{field.arg}'; {suggestion(field.arg, known)}")
        given[field.arg] = _argument(field.value, f"{name}: {field.arg}", text)
    values = [_argument(value, name, text) for value in node.args]
    try:
        signature(CALLS[name]).bind(*values, **given)
    except TypeError as error:
        by_name = [field.name for field in known.values() if field.kind is not Parameter.VAR_POSITIONAL]
        fields = f"; its fields are {', '.join(by_name)}" if by_name else ""
        raise ConfigError(f"{name}: {error}{fields}") from None
    return checked(CALLS[name](*values, **given))


def _argument(node: ast.expr, place: str, text: str) -> Any:
    try:
        return ast.literal_eval(node)
    except UNREADABLE:
        shown = ast.get_source_segment(text, node) or text
        raise ConfigError(f"{place}: expected a number, a text or a list of them, got {shown[:60]}") from None
