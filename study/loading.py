"""Loads a :class:`StudySpec` from a space file or a shipped space's name, or says in one line why not."""

from __future__ import annotations

import ast
import dataclasses
import importlib.util
import re
import sys
import traceback
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any, cast

from study.errors import SpecError
from study.spec.checked import checked
from study.spec.overrides import apply_override
from study.spec.study import StudySpec
from study.spec.validation import check_names
from trainables.config.serialization import ConfigError, field_types
from trainables.errors import suggestion
from trainables.losses.source_text import compiled, read_source
from trainables.losses.user_modules import beside, forget, provide


def load_space(path: str | Path, overrides: Iterable[str] = ()) -> StudySpec:
    """Return the study in a space file, with ``path=value`` overrides applied and every field checked.

    Args:
        path: a Python file that defines ``STUDY = StudySpec(...)``, or the name of a shipped space.
        overrides: such as ``budget.trials=20``, ``pairs.0.student=resnet20``, ``methods.1.beta=Float(1, 8)``.

    Raises:
        SpecError: the file is missing or broken, or a field is unknown, of the wrong type or out of range.
    """
    file = find_space(path)
    module = _execute(file)
    spec = getattr(module, "STUDY", None)
    if spec is None:
        raise SpecError(f"{file}: defines no STUDY; end it with STUDY = StudySpec(...)")
    if not isinstance(spec, StudySpec):
        raise SpecError(f"{file}: STUDY is no StudySpec but of type {type(spec).__name__}")
    name = re.sub(r"[^A-Za-z0-9_-]", "-", file.stem).lstrip("-")
    return complete(spec, overrides, str(file), name if re.search("[A-Za-z0-9]", name) else "")


def load(space: StudySpec | str | Path, overrides: Iterable[str] = ()) -> StudySpec:
    """Return a study given as it is or by its space file, as :func:`load_space` does.

    Raises:
        SpecError: see :func:`load_space`; a ``StudySpec`` that has no name.
    """
    return complete(space, overrides) if isinstance(space, StudySpec) else load_space(space, overrides)


def complete(
    spec: StudySpec, overrides: Iterable[str], where: str = "StudySpec", name: str = ""
) -> StudySpec:
    """Return ``spec`` with ``overrides`` applied, every field checked, and ``name`` if it has none.

    Raises:
        SpecError: a field is unknown, of the wrong type or out of range; its line begins with ``where``.
    """
    try:
        spec = cast(StudySpec, checked(spec))
        for override in overrides:
            spec = apply_override(spec, override)
        if not spec.name and not name:
            raise ConfigError(
                "name: missing; StudySpec(name=...), or --name, names the folder of its results"
            )
        spec = spec if spec.name else dataclasses.replace(spec, name=name)
        check_names(spec)
    except ConfigError as error:
        raise SpecError(f"{where}: {error}") from None
    return spec


def find_space(path: str | Path) -> Path:
    """Find the file that ``path`` names, directly or as a space that is shipped."""
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


def _execute(file: Path) -> ModuleType:
    """Run a space file; any error in it becomes one line with the line number."""
    spec = importlib.util.spec_from_file_location(f"space_{file.stem}", file)
    if spec is None or spec.loader is None:
        raise SpecError(f"{file}: not a Python file; a space file ends in .py")
    module = importlib.util.module_from_spec(spec)
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        text = read_source(file)
        forget()
        provide(beside(file, text), file.parent)
        exec(compiled(text, str(file)), module.__dict__)
    except SyntaxError as error:
        line = f", line {error.lineno}" if error.lineno else ""
        raise SpecError(f"{error.filename or file}{line}: {error.msg}") from None
    except (Exception, SystemExit) as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if Path(f.filename) == file]
        line = f", line {frames[-1].lineno}" if frames else ""
        field = _field_at(read_source(file), frames[-1]) if frames and isinstance(error, ConfigError) else ""
        raise SpecError(f"{file}{line}: {field}{_explained(error)}") from None
    finally:
        sys.dont_write_bytecode = written
    return module


def _field_at(text: str, frame: traceback.FrameSummary) -> str:
    """Return ``training.lr: `` where what failed stands as ``training=Training(lr=...)``; else empty."""
    if frame.lineno is None or frame.colno is None:
        return ""
    at, names = (frame.lineno, frame.colno), []
    for node in ast.walk(ast.parse(text)):  # outer ones come first
        named: list[tuple[Any, ast.expr]] = []
        if isinstance(node, ast.Call):
            named = [(word.arg, word.value) for word in node.keywords]
        elif isinstance(node, ast.Dict):
            keys = (getattr(key, "value", None) for key in node.keys)
            named = list(zip(keys, node.values, strict=True))
        for name, value in named:
            end = (value.end_lineno or 0, value.end_col_offset or 0)
            if name is not None and (value.lineno, value.col_offset) <= at < end:
                names.append(str(name))
    return f"{'.'.join(names)}: " if names else ""


def _explained(error: BaseException) -> str:
    """Return the error's message, with a hint where a keyword of one of our classes is misspelt."""
    text = f"{error}" if isinstance(error, ConfigError) else f"{type(error).__name__}: {error}"
    match = re.match(r"(?:\w+: )?(\w+)\.__init__\(\) got an unexpected keyword argument '(\w+)'", text)
    if match:
        import study.spec

        kind = getattr(study.spec, match.group(1), None)
        if kind is not None:
            near = suggestion(match.group(2), field_types(kind))
            return f"{match.group(1)} has no field '{match.group(2)}'; {near}"
    return " ".join(text.split())
