"""Finds a study's shared state where it is not in the results folder: the store, and Optuna's database.

A location is named on the command line, else in the environment (SDD_STORE, SDD_OPTUNA_URL), else it is
where an earlier launch of the study had it (``places.json`` in the study's folder, so that the same study
never begins anew somewhere else because an option was left out), else in the results folder.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from study.errors import LocationError, UserError, one_line
from study.workspace.sqlite import sqlite_file, sqlite_url
from study.workspace.written import read_written
from trainables.storage.blobs import BlobStorage, StorageError
from trainables.storage.files import write_json
from trainables.storage.folder import FolderStorage
from trainables.storage.opening import open_storage, probe

FILE = "places.json"
REMEDY = "move it away, and name what it held by --store and --optuna"


@dataclass(frozen=True, slots=True)
class Locations:
    """Holds the locations of store and database by URL; None leaves one open.

    >>> Locations(store="s3://bucket/sdd").or_else(Locations(store="/mnt/sdd", optuna="sqlite:////o.db"))
    Locations(store='s3://bucket/sdd', optuna='sqlite:////o.db')

    Attributes:
        store: a folder that every node mounts, or ``s3://bucket/prefix``.
        optuna: an SQLAlchemy URL, such as ``postgresql+psycopg://user@host/optuna``.
    """

    store: str | None = None
    optuna: str | None = None

    @classmethod
    def from_environment(cls) -> Locations:
        """Return the locations that SDD_STORE and SDD_OPTUNA_URL name."""
        return cls.of(os.environ.get("SDD_STORE"), os.environ.get("SDD_OPTUNA_URL"))

    @classmethod
    def from_arguments(cls, args: argparse.Namespace) -> Locations:
        """Return the locations that ``--store`` and ``--optuna`` name."""
        return cls.of(args.store, getattr(args, "optuna", None))

    @classmethod
    def of(cls, store: str | None, optuna: str | None) -> Locations:
        """Return the locations that a user names; raises :class:`LocationError` where one is none.

        Paths are made absolute: the next command may be given in another folder.
        """
        file = sqlite_file(optuna) if optuna else None
        return cls(
            _store(store), optuna or None if file is None else sqlite_url(file.expanduser().absolute())
        )

    @classmethod
    def remembered(cls, folder: Path) -> Locations:
        """Return what :meth:`remember` wrote.

        Raises:
            UserError: the file is damaged.
        """
        found = read_written(folder / FILE, REMEDY)
        store, optuna = (_text(folder / FILE, found, name) for name in ("store", "optuna"))
        if store is not None and _is_path(store):
            store = os.path.normpath(folder / store)
        if optuna is not None and (file := sqlite_file(optuna)) is not None:
            optuna = sqlite_url(Path(os.path.normpath(folder / file)))
        return cls(store, optuna)

    def remember(self, folder: Path) -> None:
        """Write the locations down for the next command, but no database URL with a password in it.

        What lies in the results folder is written as seen from the study's own ``folder``, so that it is
        found again where the results are moved to.
        """
        store, optuna = self.store, self.optuna
        if store is not None and _is_path(store):
            store = str(_inside(Path(store), folder))
        if optuna is not None:
            file = sqlite_file(optuna)
            optuna = None if has_password(optuna) else optuna
            if file is not None:
                optuna = sqlite_url(_inside(file, folder))
        if store or optuna:
            write_json(folder / FILE, {"store": store, "optuna": optuna})

    def or_else(self, other: Locations) -> Locations:
        """Return these locations, with those of ``other`` where one is open."""
        return Locations(self.store or other.store, self.optuna or other.optuna)

    def check(self) -> None:
        """Write to the store and ask the database; nothing is left behind.

        Raises:
            LocationError: one of them does not work.
        """
        if self.optuna is not None:
            check_database(self.optuna)
        if self.store is not None:
            try:
                probe(open_storage(self.store))
            except StorageError as error:
                raise LocationError(f"--store: {error}") from None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``--store`` and ``--optuna``."""
    add_store(parser)
    parser.add_argument(
        "--optuna",
        metavar="URL",
        help="Optuna's database, such as postgresql+psycopg://user@host/optuna "
        "(SDD_OPTUNA_URL; SQLite in the study's folder)",
    )


def add_store(parser: argparse.ArgumentParser) -> None:
    """Add ``--store``."""
    parser.add_argument(
        "--store",
        metavar="URL",
        help="where runs and teachers are kept: a folder every node mounts, or s3://bucket/prefix "
        "(SDD_STORE; RESULTS/_store)",
    )


def shared(storage: BlobStorage) -> bool:
    """Tell whether a storage is seen by machines that share no file system with this one."""
    return not isinstance(storage, FolderStorage)


def check_database(url: str) -> None:
    """Raise :class:`LocationError` where no database answers at an SQLAlchemy URL."""
    from sqlalchemy import create_engine
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

    try:
        engine = create_engine(url)
        with engine.connect():
            pass
        engine.dispose()
    except (ArgumentError, NoSuchModuleError):
        raise LocationError(
            f"--optuna: '{without_password(url)}' is no database URL; "
            "such are postgresql+psycopg://user@host/optuna and sqlite:////folder/optuna.db"
        ) from None
    except ImportError as error:
        raise LocationError(
            f"--optuna: {error}; pip install 'sdd-study[postgres]' has PostgreSQL's"
        ) from None
    except SQLAlchemyError as error:
        reason = one_line(error, part="first")
        raise LocationError(f"--optuna: {without_password(url)} does not answer: {reason}") from None


def has_password(url: str) -> bool:
    """Tell whether a database URL carries a password."""
    return without_password(url) != url


def without_password(url: str) -> str:
    """Return a database URL as it may be shown."""
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except ArgumentError:
        return url
    return url if parsed.password is None else parsed.render_as_string(hide_password=True)


def _text(file: Path, found: Mapping[str, Any], name: str) -> str | None:
    """Return the text, or None, that a file of locations has under a name."""
    value = found.get(name)
    if value is not None and not isinstance(value, str):
        raise UserError(f"{file}: {name}: {value!r} is no text; {REMEDY}")
    return value


def _is_path(store: str) -> bool:
    """Tell whether a store is a folder, not a URL."""
    return "://" not in store


def _inside(path: Path, folder: Path) -> Path:
    """Return ``path`` as seen from ``folder`` where it lies beside it, in the same results folder."""
    return Path(os.path.relpath(path, folder)) if path.is_relative_to(folder.parent) else path


def _store(url: str | None) -> str | None:
    """Return a store's URL, with a folder's path made absolute."""
    try:
        return open_storage(os.path.expanduser(url)).url if url else None
    except StorageError as error:
        raise LocationError(f"--store: {error}") from None
