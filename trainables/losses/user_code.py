"""Losses of the user's own, on their way from a space file to the processes that train with them."""

from __future__ import annotations

import hashlib
import inspect
import linecache
from collections.abc import Iterable
from pathlib import Path

from trainables.losses.registry import logit_loss_spec

_done: set[str] = set()
"""Hashes of the sources this process has run."""


def registered_sources(names: Iterable[str]) -> tuple[str, ...]:
    """Texts of the files that registered those of the logit losses ``names`` that are not built in."""
    sources = (logit_loss_spec(name).source for name in names)
    files = {inspect.getsourcefile(source) for source in sources if not isinstance(source, str)}
    return tuple(Path(file).read_text() for file in sorted(filter(None, files)))


def run_sources(texts: Iterable[str]) -> None:
    """Run each text once in this process, so that the losses in it are registered."""
    for text in texts:
        digest = hashlib.sha256(text.encode()).hexdigest()
        if digest not in _done:
            file = f"<space {digest[:12]}>"
            linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
            exec(compile(text, file, "exec"), {"__name__": f"space_{digest[:12]}", "__file__": file})
            _done.add(digest)
