"""PostgreSQL on the head: one server on a Unix socket, the databases mlflow and optuna, their backups.

A backup is BACKUP/<UTC time>/<database>.dump, whole once BACKUP/<UTC time>/complete exists.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from places import Bucket, Folder, place

NAMES = ("mlflow", "optuna")
KEPT = 24
OPTUNA_TABLES = "import sys, optuna; optuna.storages.RDBStorage(sys.argv[1])"
DATA = Path.home() / "sdd-head" / "postgres"
SOCKET = Path.home() / "sdd-head" / "run"


def url(name: str) -> str:
    """SQLAlchemy's address of a database."""
    return f"postgresql+psycopg:///{name}?host={SOCKET}"


def program(name: str) -> str:
    """One of PostgreSQL's programs; Debian keeps them off the PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    path = str(found[-1]) if found else shutil.which(name)
    if path is None:
        raise SystemExit(f"error: PostgreSQL's {name} is missing; run setup.sh head")
    return path


def run(name: str, *arguments: str) -> str:
    """Run one of PostgreSQL's client programs; raises with what it said."""
    command = [program(name), "--host", str(SOCKET), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{name}: {' '.join(done.stderr.split())}")
    return done.stdout


def prepare() -> None:
    """The files of an empty server, where there are none."""
    SOCKET.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not (DATA / "PG_VERSION").exists():
        subprocess.run(
            [program("initdb"), "--pgdata", str(DATA), "--auth", "peer", "--encoding", "UTF8", "--no-locale"],
            check=True,
            stdout=subprocess.DEVNULL,
        )


def server() -> list[str]:
    """The command that serves them: no TCP, the socket open to this user alone."""
    quiet = ["-c", "listen_addresses=", "-c", "unix_socket_permissions=0700"]
    return [program("postgres"), "-D", str(DATA), "-k", str(SOCKET), *quiet]


def answers() -> bool:
    """Whether the server takes queries."""
    try:
        run("pg_isready", "--quiet")
    except (RuntimeError, SystemExit):
        return False
    return True


def fill() -> str:
    """Make the databases that are missing, from the last backup if there is one."""
    listed = run("psql", "--dbname", "postgres", "-Atc", "select datname from pg_database").split()
    missing = [name for name in NAMES if name not in listed]
    if not missing:
        return "databases are here"
    address = os.environ.get("SDD_BACKUP")
    last = latest(place(address)) if address else None
    for name in missing:
        new = f"{name}_new"
        run("dropdb", "--if-exists", new)
        run("createdb", new)
        if address and last:
            with tempfile.TemporaryDirectory() as scratch:
                dump = Path(scratch) / "dump"
                place(address).get(f"{last}/{name}.dump", dump)
                run("pg_restore", "--exit-on-error", "--no-owner", "--dbname", new, str(dump))
        if name == "optuna":  # its dashboard does not make the tables, Optuna does
            subprocess.run([sys.executable, "-c", OPTUNA_TABLES, url(new)], check=True)
        # under its name only when it is whole
        run("psql", "--dbname", "postgres", "-c", f"alter database {new} rename to {name}")
    return f"{', '.join(missing)}: {f'restored from {last}' if last else 'new'}"


def backup() -> str:
    """Dump all databases to a new folder of $SDD_BACKUP; the oldest ones go."""
    address = os.environ.get("SDD_BACKUP")
    if not address:
        return "no backup: SDD_BACKUP names no place"
    where, stamp = place(address), time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    with tempfile.TemporaryDirectory() as scratch:
        for name in NAMES:
            dump = Path(scratch) / name
            run("pg_dump", "--format", "custom", "--file", str(dump), name)
            where.put(dump, f"{stamp}/{name}.dump")
        mark = Path(scratch) / "complete"
        mark.touch()
        where.put(mark, f"{stamp}/complete")
    for old in backups(where)[:-KEPT]:
        for file in ("complete", *(f"{name}.dump" for name in NAMES)):
            where.delete(f"{old}/{file}")
    return f"backed up to {address}/{stamp}"


def backups(where: Folder | Bucket) -> list[str]:
    """Whole backups, oldest first."""
    return sorted(item.name.split("/")[0] for item in where.items() if item.name.endswith("/complete"))


def latest(where: Folder | Bucket) -> str | None:
    """The newest whole backup."""
    found = backups(where)
    return found[-1] if found else None
