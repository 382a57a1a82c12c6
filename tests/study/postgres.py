"""A real PostgreSQL server in a folder, for as long as a test needs it; run by an ordinary user."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.object_server import free_port

USER = "nobody"
"""Runs the server where the tests run as root, which PostgreSQL refuses."""


def programs() -> Path:
    """Debian keeps them out of the PATH; skips the test where there are none."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    where = Path(found[-1]) if found else Path(shutil.which("initdb") or "")
    if not where.is_file():
        pytest.skip("needs PostgreSQL's server: apt install postgresql")
    return where.parent


class Postgres:
    """A server with the databases ``optuna`` and ``mlflow``."""

    def __init__(self, folder: Path) -> None:
        self.programs = programs()
        self.folder = folder / "pg"
        self.folder.mkdir()
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        if os.getuid() == 0:
            owner = pwd.getpwnam(USER)
            os.chown(self.folder, owner.pw_uid, owner.pw_gid)
            for closed in (folder, *folder.parents):  # pytest's, to other users
                if closed.name.startswith(("test_", "popen-", "pytest-")):
                    closed.chmod(closed.stat().st_mode | 0o011)
        self._call("initdb", "-D", str(self.folder / "data"), "-U", "sdd", "-A", "trust", "--no-sync")

    def start(self) -> None:
        """Start it; its databases are made the first time."""
        command = [str(self.programs / "postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        command += ["-c", "listen_addresses=127.0.0.1", "-k", str(self.folder)]
        log = subprocess.DEVNULL
        self.process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=self._user())
        query = ["-h", "127.0.0.1", "-p", str(self.port), "-U", "sdd"]
        deadline = time.monotonic() + 120
        while subprocess.run([str(self.programs / "pg_isready"), "-q", *query], check=False).returncode:
            assert time.monotonic() < deadline, "PostgreSQL does not start"
            time.sleep(0.2)
        for name in ("optuna", "mlflow"):
            subprocess.run([str(self.programs / "createdb"), *query, name], capture_output=True, check=False)

    def stop(self) -> None:
        """Abort it with all its connections, as a crash does; it recovers when it is started again."""
        if self.process is not None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait()
            self.process = None

    def url(self, database: str) -> str:
        """For SQLAlchemy."""
        return f"postgresql+psycopg://sdd@127.0.0.1:{self.port}/{database}"

    def _call(self, program: str, *args: str) -> None:
        command = [str(self.programs / program), *args]
        subprocess.run(command, check=True, capture_output=True, preexec_fn=self._user(), cwd=self.folder)

    def _user(self) -> Callable[[], None] | None:
        if os.getuid() != 0:
            return None
        owner = pwd.getpwnam(USER)

        def become() -> None:
            os.setgroups([])
            os.setgid(owner.pw_gid)
            os.setuid(owner.pw_uid)

        return become
