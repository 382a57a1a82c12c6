"""Lets a package hand on names of its modules without importing them before they are asked for."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import pkgutil
import sys
from collections.abc import Callable
from typing import Any


def hand_on(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """Return ``__getattr__``, ``__dir__`` and ``__all__`` of a package that hands names on lazily.

    Which names: those that the package's ``if TYPE_CHECKING:`` block imports as themselves. They stand there
    once, for type checkers and for the interpreter, and a room can be imported without torch, Ray or pandas:

        if TYPE_CHECKING:
            from trainables.storage.run_store import RunStore as RunStore
        else:
            __getattr__, __dir__, __all__ = hand_on(__name__)

    The package's modules can be reached as its attributes, too, without being imported first.

    Args:
        package: ``__name__`` of the package, whose source has to be readable.

    >>> get, names, public = hand_on("trainables.storage")
    >>> "RunStore" in public, get("RunStore").__module__
    (True, 'trainables.storage.run_store')
    >>> get("RunStor")
    Traceback (most recent call last):
    AttributeError: module 'trainables.storage' has no attribute 'RunStor'
    """
    homes = handed_on(package)

    def get(name: str) -> Any:
        if name in homes:
            value = getattr(importlib.import_module(homes[name]), name)
            setattr(sys.modules[package], name, value)
            return value
        if not name.startswith("__") and importlib.util.find_spec(f"{package}.{name}") is not None:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names() -> list[str]:
        module = sys.modules[package]
        return sorted(
            {*vars(module), *homes, *(found.name for found in pkgutil.iter_modules(module.__path__))}
        )

    return get, names, sorted(homes)


def handed_on(package: str) -> dict[str, str]:
    """Return the module of each name that ``package`` imports as itself under ``if TYPE_CHECKING:``."""
    spec = sys.modules[package].__spec__ if package in sys.modules else importlib.util.find_spec(package)
    loader: Any = spec.loader if spec is not None else None
    blocks = [
        node.body
        for node in ast.parse(loader.get_source(package)).body
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
    ]
    imports = [node for block in blocks for node in block if isinstance(node, ast.ImportFrom)]
    return {
        alias.name: node.module
        for node in imports
        if node.module
        for alias in node.names
        if alias.asname == alias.name
    }
