"""A space file or a shipped space's name, with overrides -> :class:`StudySpec`, or one clear line."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

from study import domains
from study.spec import StudySpec
from trainables.strict import ConfigError, convert, field_types, suggestion

PARSED: dict[str, Callable[..., Any]] = {
    name: getattr(domains, name) for name in ("Float", "Int", "LogFloat", "Choice")
}
"""Calls that an override may hold beside literals."""


class SpecError(Exception):
    """The user's study is wrong: one line that names file, field and remedy."""


def load_space(path: str | Path, overrides: Iterable[str] = ()) -> StudySpec:
    """The study in a space file, with ``path=value`` overrides applied and every field checked.

    Args:
        path: a Python file that defines ``STUDY = StudySpec(...)``, or the name of a shipped space.
        overrides: such as ``search.trials=20``, ``pairs.0.student=resnet20``, ``methods.1.beta=Float(1, 8)``.

    Raises:
        SpecError: the file is missing or broken, or a field is unknown, of the wrong type or out of range.
    """
    file = find_space(path)
    module = _execute(file)
    spec = getattr(module, "STUDY", None)
    if spec is None:
        raise SpecError(f"{file}: defines no STUDY; end it with STUDY = StudySpec(...)")
    if not isinstance(spec, StudySpec):
        raise SpecError(f"{file}: STUDY is a {type(spec).__name__}, not a StudySpec")
    try:
        spec = checked(spec)
        for override in overrides:
            spec = apply_override(spec, override)
        if not spec.name:
            spec = dataclasses.replace(spec, name=re.sub(r"[^A-Za-z0-9_-]", "-", file.stem))
        check_names(spec)
    except ConfigError as error:
        raise SpecError(f"{file}: {error}") from None
    return spec


def find_space(path: str | Path) -> Path:
    """The file ``path`` names, directly or as a space that is shipped."""
    file = Path(path)
    if file.is_file():
        return file
    shipped = Path(__file__).parent.parent / "search_spaces"
    named = shipped / f"{file.stem}.py"
    if str(path) == file.stem and named.is_file():
        return named
    known = [item.stem for item in shipped.glob("*.py") if not item.stem.startswith("_")]
    raise SpecError(
        f"{path}: no such space file; shipped ones can be given by name, {suggestion(file.stem, known)}"
    )


def checked(value: Any, path: str = "") -> Any:
    """A copy of a dataclass in which every field, at any depth, was converted to its declared type."""
    if isinstance(value, (list, tuple)):
        return tuple(checked(item, f"{path}.{index}") for index, item in enumerate(value))
    if not dataclasses.is_dataclass(value) or domains.is_domain(value):
        return value
    kind: Any = type(value)
    fields: dict[str, Any] = {}
    for name, hint in field_types(kind).items():
        inner = f"{path}.{name}" if path else name
        fields[name] = convert(hint, checked(getattr(value, name), inner), inner)
    return _rebuild(kind, fields, path)


def apply_override(spec: Any, override: str) -> Any:
    """``spec`` with one field replaced: ``a.b.0.c=value``; the value is a literal, a domain or plain text."""
    target, equals, text = override.partition("=")
    if not equals or not target.strip():
        raise ConfigError(f"--set {override}: write it as path=value, such as search.trials=20")
    return _replace(spec, target.strip().split("."), _parse(text.strip()), target.strip())


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
    hints = field_types(type(value))
    if step not in hints:
        raise ConfigError(f"{path}: unknown field '{step}'; {suggestion(step, hints)}")
    field = _replace(getattr(value, step), rest, new, path, hints[step])
    fields = {name: getattr(value, name) for name in hints} | {step: field}
    return _rebuild(type(value), fields, path.rpartition(".")[0])


def _rebuild(kind: Any, fields: dict[str, Any], path: str) -> Any:
    try:
        return kind(**fields)
    except ConfigError as error:
        raise ConfigError(f"{path}.{error}" if path else str(error)) from None


def _parse(text: str) -> Any:
    """A Python literal, a domain such as ``Float(1, 8)``, or the text itself."""
    try:
        node = ast.parse(text, mode="eval").body
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PARSED:
            args = [ast.literal_eval(item) for item in node.args]
            keywords = {item.arg: ast.literal_eval(item.value) for item in node.keywords if item.arg}
            return PARSED[node.func.id](*args, **keywords)
        return ast.literal_eval(node)
    except (SyntaxError, ValueError, TypeError) as error:
        if isinstance(error, ConfigError):
            raise
        return text


def check_names(spec: StudySpec) -> None:
    """Raise :class:`ConfigError` for a data set, network, loss or option that does not exist."""
    from trainables import data
    from trainables.losses import check_feature_loss, check_logit_loss
    from trainables.models.names import check_name

    _named("data", lambda: data.check(spec.data))
    for index, pair in enumerate(spec.pairs):
        _named(f"pairs.{index}.teacher", lambda pair=pair: check_name(pair.teacher), colon=": ")
        _named(f"pairs.{index}.student", lambda pair=pair: check_name(pair.student), colon=": ")
        _named(f"pairs.{index}.training", lambda pair=pair: pair.student_training(spec.training))
        if pair.weights is not None and not Path(pair.weights).is_file():
            raise ConfigError(f"pairs.{index}.weights: no file {pair.weights}")
    for index, method in enumerate(spec.methods):
        for base in domains.options_of(method.base):
            if base is not None:
                options = {
                    name: next(domains.options_of(value), getattr(value, "low", value))
                    for name, value in method.options.get(str(base), {}).items()
                }
                _named(
                    f"methods.{index}.base", lambda b=base, o=options: check_logit_loss(str(b), o), colon=": "
                )
        for number, term in enumerate(method.features):
            place = f"methods.{index}.features.{number}"
            _named(place, lambda term=term: check_feature_loss(term.name, term.options), colon=": ")
        for field in ("reduction", "agreement"):
            allowed = {"reduction": {"mean", "sum"}, "agreement": {"released", "text"}}[field]
            for option in domains.options_of(getattr(method, field)):
                if option not in allowed:
                    raise ConfigError(
                        f"methods.{index}.{field}: '{option}'; {suggestion(str(option), allowed)}"
                    )


def _named(path: str, check: Callable[[], Any], colon: str = ".") -> None:
    try:
        check()
    except (ValueError, TypeError) as error:
        raise ConfigError(f"{path}{colon}{error}") from None


def _execute(file: Path) -> ModuleType:
    """Run a space file; any error in it becomes one line with the line number."""
    spec = importlib.util.spec_from_file_location(f"space_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise SpecError(f"{file}: not a Python file; a space file ends in .py")
    module = importlib.util.module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    except SyntaxError as error:
        raise SpecError(f"{file}, line {error.lineno}: {error.msg}") from None
    except Exception as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == file]
        line = f", line {frames[-1].lineno}" if frames else ""
        raise SpecError(f"{file}{line}: {_explained(error)}") from None
    finally:
        sys.dont_write_bytecode = written
    return module


def _explained(error: Exception) -> str:
    """The error's message, with a hint where a keyword of one of our classes is misspelt."""
    text = f"{error}" if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
    match = re.match(r"(?:\w+: )?(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", text)
    if match:
        import study.spec

        kind = getattr(study.spec, match.group(1), None)
        if kind is not None:
            return f"{match.group(1)} has no field '{match.group(2)}'; {suggestion(match.group(2), field_types(kind))}"
    return " ".join(text.split())
