"""Opens Optuna's storage; a damaged SQLite file is set aside, since the journal can fill a new one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

import optuna
from optuna.storages import BaseStorage, RDBStorage
from sqlalchemy import event


def open_optuna_storage(url: str, say: Callable[[str], None] = print) -> BaseStorage:
    """Open Optuna's storage at a database URL; tables are made when there are none.

    Args:
        say: takes a line when a damaged SQLite file was moved away.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    scheme, _, place = url.partition(":///")
    if scheme == "sqlite" and (problem := fault(Path(place))):
        aside = Path(place).with_name(f"{Path(place).stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}.db")
        for part in ("", "-journal", "-wal", "-shm"):  # a left-over journal would be played into the new file
            if (file := Path(place + part)).exists():
                file.rename(f"{aside}{part}")
        say(f"Optuna's database is damaged ({problem}): moved to {aside.name}, made anew from the journal")
    storage = RDBStorage(url)
    if scheme == "sqlite":
        event.listen(storage.engine, "connect", _without_waiting_for_the_disk)
        storage.engine.dispose()
    return storage


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
