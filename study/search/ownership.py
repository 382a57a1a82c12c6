"""Keeps two results folders from searching in one Optuna study without knowing of each other.

Optuna studies are named after the study and its space. A database that several people use may hold one of
that name already: the search of another results folder, whose trials would be counted and sampled from as if
they were ours. A results folder is known by the first line of its journal, which goes with it wherever it is
moved, and comes with the journal to other machines that launch the same study.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterable, Iterator
from pathlib import Path

from optuna.storages import BaseStorage

from study.errors import LocationError

OWNER = "results"
"""User attribute of an Optuna study: whose search it is, and where that was last."""


def identity(journal: Path) -> str:
    """Return what a results folder is known by; empty where it has no journal yet."""
    if not journal.exists():
        return ""
    with journal.open("rb") as file:
        first = file.readline()
    return hashlib.sha256(first).hexdigest()[:16] if first.endswith(b"\n") else ""


def check_owner(storage: BaseStorage, searches: Iterable[str], journal: Path) -> None:
    """Check that the Optuna studies of these names, if any, are of the results folder of ``journal``.

    Raises:
        LocationError: one is another's.
    """
    for number, search in _known(storage, searches):
        owner = storage.get_study_user_attrs(number).get(OWNER)
        if owner is None or owner["journal"] == identity(journal):
            continue
        name = search.partition("/")[0]
        if (owner["folder"], owner["host"]) == _place(journal):
            raise LocationError(
                f"{journal}: its first line, by which Optuna's database knows the study '{name}', is gone or "
                "another one; put the journal back from a copy, or give this study another --name"
            )
        raise LocationError(
            f"Optuna's database has a search of a study '{name}' already, whose results are in "
            f"{owner['folder']} on {owner['host']}: go on there, or give this one another --name"
        )


def claim(storage: BaseStorage, searches: Iterable[str], journal: Path) -> None:
    """Write into the Optuna studies of these names that they are of the results folder of ``journal``."""
    folder, host = _place(journal)
    mine = {"journal": identity(journal), "folder": folder, "host": host}
    for number, _ in _known(storage, searches):
        if storage.get_study_user_attrs(number).get(OWNER) != mine:
            storage.set_study_user_attr(number, OWNER, mine)


def _place(journal: Path) -> tuple[str, str]:
    """Return the folder of a journal and its host, as people find it from elsewhere."""
    return str(journal.parent.absolute()), platform.node()


def _known(storage: BaseStorage, searches: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Yield number and name of those Optuna studies that are there."""
    for search in searches:
        try:
            yield storage.get_study_id_from_name(search), search
        except KeyError:
            continue
