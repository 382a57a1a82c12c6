"""Finds the trial that a user means by the beginning of its key."""

from __future__ import annotations

from collections.abc import Collection

from study.errors import UserError, suggestion


def complete_key(study: str, keys: Collection[str], beginning: str) -> str:
    """Return the one of ``keys`` that begins with ``beginning``.

    Raises:
        UserError: none of them does, or several do.

    >>> complete_key("quickstart", ["9cdc55107ded21d3", "9f0e6a0b1c2d3e4f"], "9c")
    '9cdc55107ded21d3'
    """
    found = [key for key in keys if key.startswith(beginning)]
    if not found:
        hint = suggestion(beginning, keys, otherwise=f"sdd-study export --study {study} lists them")
        raise UserError(f"--trial: study '{study}' has no trial '{beginning}'; {hint}")
    if len(found) > 1:
        raise UserError(
            f"--trial: {len(found)} trials of study '{study}' begin with '{beginning}'; give more of it"
        )
    return found[0]
