"""Writes a StudySpec out as Python, in the form a space file has."""

from __future__ import annotations

import ast
import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from study.spec.distillation import Distillation
from trainables.config.training import WITH_MOMENTUM, DefaultRate

WIDTH = 110


def without_study(source: str) -> str:
    """Return the code of a space file that registers losses: all of it but its docstring and its STUDY."""
    lines = source.splitlines(keepends=True)
    kept = []
    for number, node in enumerate(ast.parse(source).body):
        docstring = number == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        targets = node.targets if isinstance(node, ast.Assign) else []
        study = any(isinstance(target, ast.Name) and target.id == "STUDY" for target in targets)
        if not docstring and not study and not _is_future(node):
            first = min([node.lineno, *(item.lineno for item in getattr(node, "decorator_list", []))])
            kept.append("".join(lines[first - 1 : node.end_lineno]).strip("\n"))
    return "\n".join(kept)


def _is_future(node: ast.stmt) -> bool:
    return isinstance(node, ast.ImportFrom) and node.module == "__future__"


def written(value: Any, column: int = 0, indent: int = 0) -> str:
    """Write ``value`` as Python, dataclasses by the fields that are not at their defaults."""
    flat = _flat(value)
    if column + indent + len(flat) < WIDTH or not (name_items := _items(value)):
        return flat
    name, items, end = name_items
    inner = indent + 4
    body = "".join(f"{' ' * inner}{label}{written(item, len(label) + 1, inner)},\n" for label, item in items)
    return f"{name}\n{body}{' ' * indent}{end}"


def _flat(value: Any) -> str:
    parts = _items(value)
    if parts is None:
        return json.dumps(value, ensure_ascii=False) if isinstance(value, str) else repr(value)
    name, items, end = parts
    comma = "," if name == "(" and len(items) == 1 else ""
    return f"{name}{', '.join(f'{label}{_flat(item)}' for label, item in items)}{comma}{end}"


def _items(value: Any) -> tuple[str, list[tuple[str, Any]], str] | None:
    """Return (opening, labelled items, closing) of what has parts; None of what has none."""
    if dataclasses.is_dataclass(value):
        return f"{_name(value)}(", [(f"{n}=", v) for n, v in _set_fields(value)], ")"
    if isinstance(value, Mapping):
        return "{", [(f"{_flat(key)}: ", item) for key, item in value.items()], "}"
    if isinstance(value, (tuple, list)):
        return "(", [("", item) for item in value], ")"
    return None


def _name(value: Any) -> str:
    """Return the name under which space files know a class."""
    return "SDD" if isinstance(value, Distillation) else type(value).__name__


def _set_fields(value: Any) -> Iterable[tuple[str, Any]]:
    for field in dataclasses.fields(value):
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        held = getattr(value, field.name)
        unlike_sgd = (
            isinstance(default, DefaultRate) and value.optimizer not in WITH_MOMENTUM
        )  # which needs a rate written
        if held != default or unlike_sgd:
            yield field.name, held


def _classes(value: Any) -> set[str]:
    parts = _items(value)
    items: Sequence[tuple[str, Any]] = parts[1] if parts else []
    own = {_name(value)} if dataclasses.is_dataclass(value) else set()
    return own.union(*(_classes(item) for _, item in items))
