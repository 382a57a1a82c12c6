"""A real S3 server on loopback (moto's), for as long as a test needs it."""

from __future__ import annotations

import importlib.util
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

BUCKET = "lab"


def free_port() -> int:
    """A port nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(port: int, timeout: float = 60.0) -> None:
    """Return once something listens at ``port``."""
    deadline = time.monotonic() + timeout
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


@contextmanager
def object_server(log: Path) -> Iterator[dict[str, str]]:
    """The environment in which ``s3://lab/...`` is a bucket of a server that runs here."""
    if importlib.util.find_spec("moto") is None:
        pytest.skip("needs an S3 server: pip install 'moto[s3]' (the dev extra)")
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    keys = dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "test")
    environment = {**keys, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}"}
    before = {name: os.environ.get(name) for name in environment}
    try:
        wait_for(port)
        os.environ.update(environment)
        from pyarrow import fs

        made = fs.S3FileSystem(allow_bucket_creation=True, endpoint_override=environment["AWS_ENDPOINT_URL"])
        made.create_dir(BUCKET)
        yield environment
    finally:
        process.kill()
        process.wait()
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
