"""Keeps a study to one launcher, also where launchers share no folder: by their store, or Optuna's server.

The lock on the study's folder (``study.workspace.lock``) holds on one machine, and over NFS. Two machines
with folders of their own meet elsewhere:

- in an object store, which has no locks: a lease, ``STORE/studies/<study>/launcher.json``, renewed every
  :data:`BEAT_S`. It is void :data:`LIFE_S` after its holder was last heard of (its machine is gone), or at
  once when the holder was on this machine and its process is not there any more. A holder that finds the
  lease in other hands stops. It relies on clocks that agree to well within :data:`LIFE_S`.
- in Optuna's database, if it is a server: a lock of the session (``pg_advisory_lock``, ``GET_LOCK``), which
  the server drops with the connection.

A second launcher is refused rather than taken in as a second worker: the journal has one writer, and Ray
already spreads one launcher's trials over all machines.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from study.background import repeating
from study.errors import StudyBusy
from study.workspace.lock import LockOwner, pid_space
from trainables.storage.blobs import BlobStorage, StorageError
from trainables.storage.files import to_json

BEAT_S = 15.0
LIFE_S = 60.0
SETTLE_S = 1.0
"""Seconds after which two launchers that begin at one moment look again; the one that wrote last has it."""


class Lease:
    """Holds a study against launchers on other machines, by a blob in the storage they share."""

    def __init__(self, storage: BlobStorage, study: str) -> None:
        self.storage = storage
        self.study = study
        self.name = f"studies/{study}/launcher.json"
        self._id = uuid.uuid4().hex

    @contextmanager
    def held(self, lost: Callable[[str], None]) -> Iterator[None]:
        """Hold the study; ``lost`` is called, from another thread, if another launcher takes it.

        Raises:
            StudyBusy: another launcher holds it.
        """
        self._refuse_if_held()
        me = LockOwner(socket.gethostname(), os.getpid(), pid_space(), time.time(), list(sys.argv))
        self._write(me)
        time.sleep(SETTLE_S)
        if not self._mine():
            self._refuse_if_held()

        def renew() -> bool:
            try:
                if not self._mine():
                    lost(f"study '{self.study}' was taken over by another launcher")
                    return False
                self._write(me)
            except StorageError:
                pass  # the next one may get through
            return True

        try:
            with repeating(renew, BEAT_S, "lease"):
                yield
        finally:
            try:
                if self._mine():
                    self.storage.delete(self.name)
            except StorageError:
                pass  # it runs out

    def _refuse_if_held(self) -> None:
        found = self._read()
        if found is None or found["id"] == self._id:
            return
        holder, age = LockOwner(**found["launcher"]), time.time() - found["beat"]
        if age < LIFE_S and not (holder.here and not runs(holder.pid)):
            raise StudyBusy(
                f"study '{self.study}' in {self.storage.url} is being run by another launcher "
                f"({holder.host}, process {holder.pid}, heard of {max(age, 0):.0f} s ago); stop it, "
                f"or if its machine is gone, try again in {LIFE_S - age:.0f} s"
            )

    def _mine(self) -> bool:
        found = self._read()
        return found is not None and found["id"] == self._id

    def _read(self) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = json.loads(self.storage.read(self.name))
        except (FileNotFoundError, ValueError):
            return None
        return found

    def _write(self, me: LockOwner) -> None:
        content = {"id": self._id, "launcher": asdict(me), "beat": time.time()}
        self.storage.write(self.name, to_json(content))


@contextmanager
def database_lock(url: str, study: str) -> Iterator[None]:
    """Hold the study in Optuna's database, if it is one with locks.

    Raises:
        StudyBusy: another launcher holds it.
    """
    from sqlalchemy import create_engine, text

    statement = LOCKS.get(url.partition(":")[0].partition("+")[0])
    if statement is None:
        yield
        return
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            if not connection.execute(text(statement), {"name": f"sdd-study/{study}"}).scalar():
                raise StudyBusy(
                    f"study '{study}' is being run by another launcher on the same Optuna database; "
                    "wait for it, stop it, or give this one another --name"
                )
            yield
            connection.invalidate()  # the server may be gone; what it locked goes with the connection
    finally:
        engine.dispose()


LOCKS = {
    "postgresql": "SELECT pg_try_advisory_lock(hashtextextended(:name, 0))",
    "mysql": "SELECT GET_LOCK(SHA1(:name), 0)",
    "mariadb": "SELECT GET_LOCK(SHA1(:name), 0)",
}
"""Statements that take a lock, by kind of database."""


def runs(pid: int) -> bool:
    """Tell whether there is a process of that number here."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
