"""Finds the user's modules beside a space file, imports them from there, carries them to other processes.

A space file may import ``helpers.py`` that lies beside it, or a package. What its text imports, and what that
imports in turn, is what :func:`beside` finds; exactly that can be imported (:func:`provide`), in the launcher
as in the processes that train, wherever they run. Nothing of the folder is put on ``sys.path``: a folder
there that is called ``trainables`` or ``random`` hides nothing.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from trainables.losses.source_text import compiled, read_source

OUR_OWN = frozenset({"study", "trainables", "search_spaces"})
"""Names that no module beside a space takes, as it takes none of the standard library's."""

_texts: dict[str, str] = {}
"""Texts of the modules that are provided, by path below the space's folder."""

_folder: list[Path] = []
"""Folder where they lie, in the process that read them."""


def beside(file: Path, text: str) -> dict[str, str]:
    """Return the texts of the modules beside ``file`` that ``text`` imports, directly or not, by path.

    A path is ``helpers.py``, ``losses/__init__.py`` or ``losses/kl.py``.
    """

    def look_up(path: str) -> str | None:
        try:
            return read_source(file.parent / path)
        except (OSError, SyntaxError, UnicodeDecodeError):
            return None

    return imported_texts(text, look_up)


def imported_texts(text: str, look_up: Callable[[str], str | None]) -> dict[str, str]:
    """Return the texts of the modules that ``look_up`` finds of those ``text`` imports, and they import.

    >>> imported_texts("import a, os", {"a.py": "from b import c", "b.py": "", "d.py": ""}.get)
    {'a.py': 'from b import c', 'b.py': ''}
    """
    found: dict[str, str] = {}
    waiting = list(_imports(text, ""))
    while waiting:
        name = waiting.pop(0)
        if name.split(".")[0] in sys.stdlib_module_names | OUR_OWN:
            continue
        parts = name.split(".")
        for end in range(1, len(parts) + 1):
            place = "/".join(parts[:end])
            for path, package in (
                (f"{place}/__init__.py", place),
                (f"{place}.py", "/".join(parts[: end - 1])),
            ):
                if path not in found and (inside := look_up(path)) is not None:
                    found[path] = inside
                    waiting += _imports(inside, package.replace("/", "."))
    return found


def provide(texts: Mapping[str, str], folder: Path | None = None) -> None:
    """Let this process import modules by their texts.

    Raises:
        ImportError: a module of that name, which is not one of these, has been imported already.
    """
    for path, text in texts.items():
        name = _name(path)
        if _texts.get(path) == text:
            continue
        if name in sys.modules and not _is_provided(sys.modules[name]):
            raise ImportError(f"{path} beside the space file has the name of a module in use; rename it")
        sys.modules.pop(name, None)
        _texts[path] = text
    if folder is not None:
        _folder[:] = [folder]
    if not any(isinstance(finder, ProvidedModules) for finder in sys.meta_path):
        sys.meta_path.insert(0, ProvidedModules())


def forget() -> None:
    """Take back what was provided, so that another space's modules may have the same names."""
    for name in [name for name, module in sys.modules.items() if _is_provided(module)]:
        del sys.modules[name]
    _texts.clear()
    _folder.clear()


def provided(text: str, module: str) -> tuple[str, dict[str, str]]:
    """Return what runs a file's code in another process, and the texts of the modules that this needs.

    Args:
        text: the file's.
        module: name of its module; one that is provided is imported there, another is run as it is.
    """
    known = f"import {module}\n" if _is_provided(sys.modules.get(module)) else text
    return known, imported_texts(known, _texts.get)


def carrying(text: str, texts: Mapping[str, str]) -> str:
    """Return ``text`` with a line for each module it needs, that provides it; as it is if it needs none."""
    if not texts or f"from {__name__} import provide\n" in text:
        return text
    first = 0
    for node in ast.parse(text).body:
        docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
        if not docstring and not future:
            break
        first = node.end_lineno or 0
    lines = text.splitlines(keepends=True)
    provides = [f"provide({{{path!r}: {inside!r}}})\n" for path, inside in sorted(texts.items())]
    head = [f"from {__name__} import provide\n", *provides]
    return "".join([*lines[:first], *head, *lines[first:]])


class ProvidedModules(MetaPathFinder, Loader):
    """Imports the modules that are provided, from their texts."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        place = fullname.replace(".", "/")
        if f"{place}/__init__.py" in _texts:
            return ModuleSpec(fullname, self, is_package=True)
        if f"{place}.py" in _texts:
            return ModuleSpec(fullname, self)
        if any(known.startswith(f"{place}/") for known in _texts):
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def exec_module(self, module: ModuleType) -> None:
        place = module.__name__.replace(".", "/")
        path = f"{place}/__init__.py" if hasattr(module, "__path__") else f"{place}.py"
        module.__file__ = str(_folder[0] / path) if _folder else f"<space {path}>"
        exec(compiled(_texts.get(path, ""), module.__file__), module.__dict__)


def _is_provided(module: Any) -> bool:
    return isinstance(getattr(getattr(module, "__spec__", None), "loader", None), ProvidedModules)


def _name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def _imports(text: str, package: str) -> Iterator[str]:
    """Yield the full names ``text`` imports, at any depth; ``from a import b`` may mean a module ``a.b``."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return  # who imports it gets to know
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            name = ".".join([*filter(None, base), *filter(None, [node.module])])
            yield from filter(None, [name, *(f"{name}.{alias.name}".lstrip(".") for alias in node.names)])


def write_beside(file: Path, target: Path) -> None:
    """Copy a space file into the folder ``target``, with the modules beside it that it imports."""
    target.mkdir(parents=True, exist_ok=True)
    (target / file.name).write_bytes(file.read_bytes())
    for path in _paths(file):
        place = target / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes((file.parent / path).read_bytes())


def _paths(file: Path) -> Iterable[str]:
    return beside(file, read_source(file))
