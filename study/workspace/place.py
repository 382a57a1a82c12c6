"""Checks that a folder is there, or can be made, and written to, before any work is done for it."""

from __future__ import annotations

import os
from pathlib import Path

from study.errors import UserError


def check_place(path: Path, remedy: str) -> None:
    """Check that the folder ``path`` is there, or can be made, and written to; nothing is made.

    Args:
        remedy: what else a user can do, such as naming another.

    Raises:
        UserError: says what is in its place.
    """
    for place in (path, *path.parents):
        try:
            place.stat()
        except (FileNotFoundError, NotADirectoryError):
            if place.is_symlink():
                raise UserError(f"{place} is a link that leads nowhere; mend it, or {remedy}") from None
            continue
        except OSError as error:
            raise UserError(f"{path} cannot be used ({error.strerror}); {remedy}") from None
        if not place.is_dir():
            raise UserError(f"{place} is a file, and results go into a folder; move it away, or {remedy}")
        if not os.access(place, os.W_OK | os.X_OK):
            raise UserError(f"{place} cannot be written to; mend its permissions, or {remedy}")
        return
