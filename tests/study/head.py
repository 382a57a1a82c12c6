"""A Ray cluster of one node that is nobody's own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.object_server import free_port, wait_for

OPEN = {"RAY_AUTH_MODE": "disabled"}
"""Environment of its nodes and of who connects to it."""


@dataclass(frozen=True)
class Head:
    """Its address, and the process that Ray's own are below."""

    address: str
    pid: int


@contextmanager
def head(cpus: int) -> Iterator[Head]:
    """Run one while inside."""
    ray = str(Path(sys.executable).with_name("ray"))
    port = free_port()
    command = [ray, "start", "--head", f"--port={port}", f"--num-cpus={cpus}", "--include-dashboard=false"]
    process = subprocess.Popen(
        [*command, "--block"],
        env={**os.environ, **OPEN},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(port)
        yield Head(f"127.0.0.1:{port}", process.pid)
    finally:
        process.terminate()
        process.wait(60)
