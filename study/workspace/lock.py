"""Tells who runs a study, by the lock on its folder, and asks that process to stop.

A launcher holds ``.lock`` for as long as it lives; the kernel lets go of it when the process dies, however
it dies. The file says who holds it. A request to stop is a file beside it, which the launcher looks for: it
works from any host that sees the folder.
"""

from __future__ import annotations

import fcntl
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from study.background import repeating
from study.errors import StudyBusy, UserError

ATTEMPTS, PAUSE_S = 10, 0.05
"""Tries for the lock, and seconds between: one who asks for the owner holds it for an instant."""

LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class LockOwner:
    """Tells which process runs a study.

    >>> LockOwner(socket.gethostname(), os.getpid(), pid_space(), time.time(), ["sdd-study"]).here
    True

    Attributes:
        host: name of its machine; empty where the file is being written this moment.
        pid_space: which process numbers ``pid`` belongs to, so that a container of the same host name is told
            apart; empty where the system does not say.
        since: when it took the study, seconds since 1970.
        command: what started it.
    """

    host: str
    pid: int
    pid_space: str
    since: float
    command: list[str]

    @property
    def here(self) -> bool:
        """Whether ``pid`` means the same process to us."""
        return (self.host, self.pid_space) == (socket.gethostname(), pid_space())


@contextmanager
def hold(path: Path, what: str, remedy: str) -> Iterator[None]:
    """Hold the lock file ``path`` of ``what``.

    Raises:
        StudyBusy: another launcher does, with the ``remedy``.
        UserError: the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = path.open("a+")
    except OSError as error:
        raise UserError(
            f"cannot write {path.parent} ({error.strerror}); choose another folder with --results"
        ) from None
    with lock as file:
        if not _take(file):
            owner = owner_of(path)
            where = f" ({owner.host}, process {owner.pid})" if owner is not None and owner.host else ""
            raise StudyBusy(f"{what} is being run by another launcher{where}; {remedy}")
        me = LockOwner(socket.gethostname(), os.getpid(), pid_space(), time.time(), list(sys.argv))
        file.truncate(0)
        file.write(json.dumps(asdict(me)) + "\n")
        file.flush()
        yield
        file.truncate(0)


def owner_of(path: Path) -> LockOwner | None:
    """Read who holds the lock file ``path``; None where nobody does."""
    try:
        file = path.open(encoding="utf-8")
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            try:
                return LockOwner(**json.loads(file.read()))
            except (ValueError, TypeError):
                return LockOwner("", 0, "", 0.0, [])
    return None


@contextmanager
def listening(request: Path) -> Iterator[None]:
    """Let a file ``request`` interrupt this process as SIGTERM does, while inside; drop an old one."""
    request.unlink(missing_ok=True)

    def look() -> bool:
        if not request.exists():
            return True
        request.unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGTERM)
        return False

    try:
        with repeating(look, LOOK_EVERY_S, "stop-requests"):
            yield
    finally:
        request.unlink(missing_ok=True)


def _take(file: IO[str]) -> bool:
    for _ in range(ATTEMPTS):
        with suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(PAUSE_S)
    return False


def pid_space() -> str:
    """Return which process numbers this process sees; empty where the system does not say."""
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
