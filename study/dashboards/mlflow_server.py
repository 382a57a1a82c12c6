"""Runs MLflow's server on the store of a results folder, as a child that ends with its parent."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from urllib.error import URLError
from urllib.parse import quote
from urllib.request import urlopen

from study.errors import TrackingError
from study.tracking.client import make_database
from study.workspace.folder import StudyFolder
from study.workspace.sqlite import sqlite_file

START_S = 120.0
"""Seconds for the server to answer; on two busy cores it has taken 30."""

END_S = 5.0
VIEW = "workflowType=machine_learning"
"""MLflow shows runs of trained models then, not its pages for language models, with which it begins."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class MlflowServer:
    """Serves the store of ``folder`` at ``url``, as a context manager; a server that is there is linked to.

    The store's URI, which may hold a password, is handed on in the environment and shows in no list of
    processes.

    Attributes:
        url: of MLflow's page.
    """

    def __init__(self, folder: StudyFolder, host: str = "127.0.0.1", port: int = 0) -> None:
        self.folder = folder
        self.given = folder.mlflow_uri.startswith("http")
        self._address = (host, port or free_port(host))
        self.url = folder.mlflow_uri if self.given else "http://{}:{}".format(*self._address)
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> MlflowServer:
        if not self.given:
            host, port = self._address
            free_port(host, port)
            if (file := sqlite_file(self.folder.mlflow_uri)) is not None:
                make_database(file)
            allowed = [] if host in LOOPBACK else ["--allowed-hosts", "*"]
            command = [sys.executable, "-m", "mlflow", "server", "--workers", "1"]
            self._process = subprocess.Popen(
                [*command, "--host", host, "--port", str(port), *allowed],
                env={
                    **os.environ,
                    "MLFLOW_BACKEND_STORE_URI": self.folder.mlflow_uri,
                    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # processes that nothing here needs
                },
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                start_new_session=True,
            )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process is not None:
            for number in (signal.SIGTERM, signal.SIGKILL):
                try:
                    os.killpg(self._process.pid, number)  # its workers too
                    self._process.wait(END_S)
                except (ProcessLookupError, subprocess.TimeoutExpired):
                    continue
        self._log.close()

    def wait(self) -> None:
        """Wait until the server answers.

        Raises:
            TrackingError: it ended, or does not answer; says its last line.
        """
        end = time.monotonic() + START_S
        while (ended := self._process is not None and self._process.poll() is not None) or not self.answers():
            if ended or time.monotonic() > end:
                raise TrackingError(f"MLflow's server does not answer at {self.url}: {self._last_line()}")
            time.sleep(0.2)

    def answers(self) -> bool:
        """Tell whether the server is up."""
        try:
            with urlopen(f"{self.url}/health", timeout=5) as answer:
                return bool(answer.status == 200)
        except (URLError, OSError):
            return False

    def page_of(self, study: str) -> str:
        """Return the address of a study's page, or of MLflow's first where it knows no such study yet."""
        asked = f"{self.url}/api/2.0/mlflow/experiments/get-by-name?experiment_name={quote(study)}"
        try:
            with urlopen(asked, timeout=5) as answer:
                number = json.load(answer)["experiment"]["experiment_id"]
        except (URLError, OSError, KeyError, ValueError):
            return self.url
        return f"{self.url}/#/experiments/{number}/runs?{VIEW}"

    def _last_line(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"


def free_port(host: str, port: int = 0) -> int:
    """Return ``port`` where nobody listens on it, any such for 0: another MLflow would be taken for ours.

    Raises:
        TrackingError: somebody does, or the address is none of this machine's.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise TrackingError(
                f"MLflow's server cannot listen on {host}:{port} ({reason}); choose another --host or --port"
            ) from None
        return int(probe.getsockname()[1])
