"""Starts a Ray of the launcher's own, on this machine, also where Ray's default places cannot be used."""

from __future__ import annotations

import logging
import os
import secrets
import sysconfig
import tempfile
from pathlib import Path
from typing import Any

import ray
from ray.job_config import JobConfig

from study.compute.ray_private import job_with_path, local_start

log = logging.getLogger(__name__)

STARTS = 4
"""Attempts to start Ray, of 30 s each on a busy machine."""

LONGEST_PATH = 103
"""Bytes of a socket's path that every system takes: 103 on macOS, 107 on Linux."""
BELOW = len("/ray/session_2026-11-26_01-17-12_700125_4194304/sockets/plasma_store")
"""Bytes of it that Ray puts behind the temporary folder."""
SHORT = ("/tmp", "/var/tmp", "/dev/shm")


def start(options: dict[str, Any]) -> None:
    """Start Ray with the cores this process may use."""
    own = {"include_dashboard": False, "num_cpus": len(os.sched_getaffinity(0)), "job_config": own_path()}
    options = {**own, **temporary_folder(), **options}
    carry_token()
    for left in reversed(range(STARTS)):
        try:
            with local_start():
                ray.init(address="local", **options)
            return
        except Exception as error:
            if not left or "timed out during startup" not in str(error):
                raise
            ray.shutdown()


def own_path() -> JobConfig:
    """Make a Ray job's configuration: trial processes import this program from where the launcher did.

    Ray puts the working directory before all else, and a folder there that is called ``trainables``, or like
    a package of ours or of torch's, would be imported in its place.
    """
    root = str(Path(__file__).resolve().parents[2])
    installed = root in {sysconfig.get_path(name) for name in ("purelib", "platlib")}
    return job_with_path([] if installed else [root])


def temporary_folder() -> dict[str, str]:
    """Return, as options of ``ray.init``, where Ray keeps sockets and logs; none where its default serves.

    That is below TMPDIR, which may be too long for a socket, or not there: Python's own temporary files go
    elsewhere then, Ray does not start.
    """
    default = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or SHORT[0]
    for folder in (default, *SHORT):
        if len(os.fsencode(os.path.abspath(folder))) + BELOW <= LONGEST_PATH and _writable(Path(folder)):
            if folder == default:
                return {}
            log.debug(f"Ray's files are in {folder}/ray: {default} is too long for sockets, or read-only")
            return {"_temp_dir": f"{folder}/ray"}
    return {}


def carry_token() -> None:
    """Hand the token of a local Ray on in the environment where the home folder cannot keep it.

    Ray has one in ``~/.ray/auth_token``, and makes it if it is missing.
    """
    if os.environ.keys() & {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"}:
        return
    folder = Path(os.path.expanduser("~"), ".ray")
    if not (folder / "auth_token").is_file() and not _writable(folder):
        os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)


def _writable(folder: Path) -> bool:
    """Tell whether files can be made in ``folder``, which is made if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
