"""Losses of the user's own, on their way from a space file to the processes that train with them."""

from __future__ import annotations

import hashlib
import linecache
from collections.abc import Iterable
from pathlib import Path
from tokenize import open as open_source
from types import CodeType

from trainables.losses.registry import logit_loss_spec

_now: list[str] = []
"""Hashes of the texts that this process ran last."""


def registered_sources(names: Iterable[str]) -> tuple[str, ...]:
    """Give the texts of the files that registered those of the logit losses ``names`` that are not built in.

    They are as they were when the losses were registered, whatever has become of the files since.
    """
    codes = (logit_loss_spec(name).code for name in names)
    return tuple(sorted({code.file_text for code in codes if code is not None}))


def run_sources(texts: Iterable[str]) -> None:
    """Run ``texts`` in this process, so that the losses in them are registered; once for the same texts.

    A process that has run others since runs them again: the last text of a loss is the one that counts.
    """
    texts = list(texts)
    digests = [hashlib.sha256(text.encode()).hexdigest()[:12] for text in texts]
    if digests == _now:
        return
    _now.clear()
    for text, digest in zip(texts, digests, strict=True):
        name = f"<space {digest}>"
        exec(compiled(text, name), {"__name__": f"space_{digest}", "__file__": name})
    _now.extend(digests)


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
