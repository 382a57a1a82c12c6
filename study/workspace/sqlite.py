"""Writes a file's path as the URL of an SQLite database, and reads it back, whatever characters are in it."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, unquote

PLAIN, QUOTED = "sqlite:///", "sqlite+pysqlite:///"
"""Beginnings of a URL that has the path as it is, and of one in which some of it is quoted. SQLAlchemy takes
either alike; MLflow would make an empty folder of the quoted name for the former."""

MEANT = "%?#{}"
"""Characters that mean something in such a URL: to SQLAlchemy, or to Optuna, which fills in braces."""


def sqlite_url(file: Path) -> str:
    """Return the URL of the database ``file``, as SQLAlchemy, MLflow and Optuna take it.

    >>> sqlite_url(Path("/data/my results/optuna.db"))
    'sqlite:////data/my results/optuna.db'
    >>> sqlite_url(Path("/data/50 % done?/optuna.db"))
    'sqlite+pysqlite:////data/50 %25 done%3F/optuna.db'
    """
    path = str(file)
    quoted = "".join(quote(sign) if sign in MEANT else sign for sign in path)
    return f"{PLAIN if quoted == path else QUOTED}{quoted}"


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
