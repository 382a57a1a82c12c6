"""Writes a file's path as the URL of an SQLite database, and reads it back, whatever characters are in it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, unquote

SCHEME = "sqlite:///"

MEANT = "%?#{}"
"""Characters that mean something in such a URL: to SQLAlchemy, or to Optuna, which fills in braces."""


def sqlite_url(file: Path) -> str:
    """Return the URL of the database ``file``, as SQLAlchemy, MLflow and Optuna take it.

    >>> sqlite_url(Path("/data/50 % done?/optuna.db"))
    'sqlite:////data/50 %25 done%3F/optuna.db'
    """
    return SCHEME + "".join(quote(sign) if sign in MEANT else sign for sign in str(file))


def sqlite_file(url: str) -> Path | None:
    """Return the file of a database's URL; None where it is no SQLite's, or names no file.

    >>> sqlite_file(sqlite_url(Path("/data/50 % done?/optuna.db")))
    PosixPath('/data/50 % done?/optuna.db')
    >>> sqlite_file("postgresql://user@host/optuna")
    """
    scheme, found, place = url.partition(":///")
    path = unquote(place.partition("?")[0])
    if not found or scheme.partition("+")[0] != "sqlite" or path in ("", ":memory:"):
        return None
    return Path(path)
