"""Reads Python files as the interpreter does, and compiles texts so that ``inspect`` finds them again."""

from __future__ import annotations

import linecache
from pathlib import Path
from tokenize import open as open_source
from types import CodeType


def read_source(file: Path) -> str:
    """Read a Python file as the interpreter does: byte order mark, coding line and line ends are heeded."""
    with open_source(str(file)) as source:
        return source.read()


def compiled(text: str, name: str) -> CodeType:
    """Compile ``text`` under the file name ``name``, and let ``inspect`` find this very text under it.

    What a function's source is taken for is then what runs, also once the file of that name was edited.
    """
    linecache.cache[name] = (len(text), None, text.splitlines(keepends=True), name)
    return compile(text, name, "exec")
