"""Carries losses of the user's own from a space file to the processes that train with them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from trainables.losses.registry import logit_loss_spec
from trainables.losses.source_text import compiled
from trainables.losses.user_modules import forget

_now: list[str] = []
"""Hashes of the texts that this process ran last."""


def registered_sources(names: Iterable[str]) -> tuple[str, ...]:
    """Return the texts of the files that registered those of the losses ``names`` that are not built in.

    Each provides the modules beside it that it imports (:mod:`trainables.losses.user_modules`). They are as
    they were when the losses were registered, whatever has become of the files since.
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
    forget()
    for text, digest in zip(texts, digests, strict=True):
        name = f"<space {digest}>"
        exec(compiled(text, name), {"__name__": f"space_{digest}", "__file__": name})
    _now.extend(digests)
