"""Docstrings: the examples run, what they name is there, and the first sentence says something."""

from __future__ import annotations

import ast
import builtins
import doctest
import importlib
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for top in ("study", "trainables") for path in (ROOT / top).rglob("*.py"))
WITH_EXAMPLES = [path for path in FILES if ">>> " in path.read_text()]

SAYING_NOTHING = (
    r"Is there\.",
    r"Nothing\.",
    r"What it stands for\.",
    r"See :\w+:`[^`]+`\.?",
    r"(The|An?) \w+\.",
)
"""First sentences that help nobody, when they are all that a docstring says."""


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def documented(path: Path) -> Iterator[tuple[str, str]]:
    """Names of the public things in a file, the file itself among them, with their docstrings."""
    tree = ast.parse(path.read_text())
    yield "", ast.get_docstring(tree) or ""
    inside: list[tuple[str, Documented]] = [("", tree)]
    while inside:
        prefix, node = inside.pop()
        for item in node.body:
            if isinstance(item, Documented) and not item.name.startswith("_"):
                yield prefix + item.name, ast.get_docstring(item) or ""
                if isinstance(item, ast.ClassDef):
                    inside.append((f"{prefix}{item.name}.", item))


@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=name_of)
def test_examples_run(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = doctest.testmod(
        importlib.import_module(module_of(path)),
        optionflags=doctest.ELLIPSIS | doctest.IGNORE_EXCEPTION_DETAIL,
    )
    assert found.attempted
    assert not found.failed
    assert not list(tmp_path.iterdir()), "an example left something behind"


def test_docstrings_say_something() -> None:
    saying_nothing = [
        f"{name_of(path)}: {name}: {text}"
        for path in FILES
        for name, text in documented(path)
        if any(re.fullmatch(phrase, text.strip()) for phrase in SAYING_NOTHING)
    ]
    assert not saying_nothing


@cache
def defined(path: Path) -> set[str]:
    """Names of classes, functions, constants and attributes that a file defines or a package hands on."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            names.add(node.name)
        if isinstance(node, ast.Module | ast.ClassDef):
            for item in node.body:
                targets = item.targets if isinstance(item, ast.Assign) else [getattr(item, "target", None)]
                names |= {target.id for target in targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.ImportFrom) and path.name == "__init__.py":
            names |= {alias.name for alias in node.names}
            if names & {"*"} and node.module:
                names |= set(importlib.import_module(node.module).__all__)
    return names


DEFINED = set(vars(builtins)).union(*map(defined, FILES))
"""Names that a docstring may refer to by their last part."""

LIBRARIES = ("torch", "ray", "optuna", "pandas")


def test_what_docstrings_name_is_there() -> None:
    """After a renaming, too."""
    missing = [f"{name_of(path)}: {name}" for path in FILES for name in named(path) if not known(name)]
    assert not missing


def named(path: Path) -> Iterator[str]:
    """Names in roles, under ``Raises:``, and of our modules between backticks."""
    text = path.read_text()
    yield from re.findall(r":(?:class|func|meth|data|attr|exc):`~?\.?([\w.]+)`", text)
    yield from re.findall(r"``?((?:study|trainables)(?:\.\w+)+)``?", text)
    for _, doc in documented(path):
        for block in re.findall(r"Raises:\n((?:    .*\n?)+)", doc):
            yield from re.findall(r"^    ([A-Z]\w+):", block, re.MULTILINE)


def known(name: str) -> bool:
    """Whether a name is defined in our files, is a module or a file of a study, or of a library's."""
    parts = name.split(".")
    if len(parts) > 1 and (parts[0] in LIBRARIES or parts[0] in sys.stdlib_module_names):
        return hasattr(importlib.import_module(".".join(parts[:-1])), parts[-1])
    if parts[0] not in ("study", "trainables"):
        return parts[-1] in DEFINED
    if parts[-1] in ("json", "py"):
        return True
    for end in range(len(parts), 0, -1):
        place = ROOT.joinpath(*parts[:end])
        file = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        if file.exists():
            return end == len(parts) or parts[end] in defined(file)
    return False
