"""Reads the small JSON files that launches leave in a study's folder."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from study.errors import UserError


def read_written(path: Path, remedy: str) -> dict[str, Any]:
    """Return the object that ``path`` holds; an empty one where there is no such file.

    A damaged file is no missing one: what it said of the study would be silently forgotten.

    Args:
        remedy: what a user does about a damaged one.

    Raises:
        UserError: the file is damaged.
        OSError: it cannot be read.

    >>> read_written(Path("nowhere/study.json"), "launch again")
    {}
    """
    if not os.path.isfile(path):
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: damaged, no JSON ({error}); {remedy}") from None
    if not isinstance(found, dict):
        raise UserError(f"{path}: damaged, no object; {remedy}")
    return found
