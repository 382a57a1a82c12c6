"""Opens Optuna's storage; a damaged SQLite file is set aside, since the journal can fill a new one.

A database of another Optuna, or of another program, is told with what to do.
"""

from __future__ import annotations

import re
import shlex
import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import create_engine, event, inspect

from study.errors import LocationError
from study.workspace.locations import without_password
from study.workspace.sqlite import sqlite_file


def open_optuna_storage(url: str, say: Callable[[str], None] = print) -> BaseStorage:
    """Open Optuna's storage at a database URL; tables are made when there are none.

    Args:
        say: takes a line when a damaged SQLite file was moved away.

    Raises:
        LocationError: another Optuna, or another program, made the database.
    """
    file = sqlite_file(url)
    if file is not None and (problem := fault(file)):
        aside = file.with_name(f"{file.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}.db")
        for part in ("", "-journal", "-wal", "-shm"):  # a left-over journal would be played into the new file
            if (piece := Path(f"{file}{part}")).exists():
                piece.rename(f"{aside}{part}")
        say(f"Optuna's database is damaged ({problem}): moved to {aside.name}, made anew from the journal")
    storage = open_as_it_is(url)
    if file is not None:
        event.listen(storage.engine, "connect", _without_waiting_for_the_disk)
        storage.engine.dispose()
    return storage


def open_as_it_is(url: str) -> RDBStorage:
    """Open Optuna's storage and move nothing away: a launcher may be using it.

    Raises:
        LocationError: another Optuna, or another program, made the database.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    _tables(url)
    return _made_by_this(url)


def check_version(url: str) -> None:
    """Check, where there are tables of Optuna's, that they are those of this version; nothing is made.

    Raises:
        LocationError: another Optuna, or another program, made the database.
    """
    if "version_info" in _tables(url):
        _made_by_this(url, skip_table_creation=True)


def _tables(url: str) -> list[str]:
    """List the tables of a database; raises :class:`LocationError` where they are another program's."""
    engine = create_engine(url)
    tables = inspect(engine).get_table_names()
    engine.dispose()
    if "alembic_version" in tables and "version_info" not in tables:
        where = f"Optuna's database {without_password(url)}"
        raise LocationError(f"{where} is another program's, such as MLflow's; name one of its own (--optuna)")
    return tables


def _made_by_this(url: str, skip_table_creation: bool = False) -> RDBStorage:
    """Open the storage; raises :class:`LocationError` where another Optuna made its tables."""
    shown = without_password(url)
    try:
        return RDBStorage(url, skip_table_creation=skip_table_creation)
    except RuntimeError as error:  # it names the version that made the database, and what to do
        if "storage upgrade" in str(error):
            todo = f"back it up, then: optuna storage upgrade --storage {shlex.quote(shown)}"
        elif "pip install" in str(error):
            todo = "install that Optuna here (pip install --upgrade optuna), or name another one (--optuna)"
        else:
            raise
        maker = re.search(r"set up by optuna ([^)\s]+)", str(error))
        made = f"was made by Optuna {maker[1] if maker else 'of another version'}"
        raise LocationError(
            f"Optuna's database {shown} {made}, this is {optuna.__version__}: {todo}"
        ) from None


def _without_waiting_for_the_disk(connection: sqlite3.Connection, record: object) -> None:
    """Switch off SQLite's waiting for the disk.

    Killing the process loses nothing all the same; a power cut may, and then the journal has it.
    """
    connection.execute("PRAGMA synchronous=OFF")


def fault(file: Path) -> str:
    """Say what is wrong with a SQLite file; empty where nothing is, or where there is none."""
    if not file.exists():
        return ""
    try:
        connection = sqlite3.connect(file)
        try:
            (found,) = connection.execute("PRAGMA quick_check(1)").fetchone()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        return str(error)
    return "" if found == "ok" else str(found)
