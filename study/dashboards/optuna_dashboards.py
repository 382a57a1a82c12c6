"""Serves Optuna's dashboard on the searches of studies, each opened when somebody first looks at it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.util import find_spec
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from study.workspace.folder import StudyFolder

INSTALL = "pip install 'sdd-study[dashboard]'"


class ThreadedWSGIServer(ThreadingMixIn, WSGIServer):
    """Answers each request on a thread of its own: one page asks for a dozen things at once."""

    daemon_threads = True


class _Silent(WSGIRequestHandler):
    """Handles requests and writes no line a request to the terminal."""

    def log_message(self, format: str, *args: object) -> None:
        """Write nothing."""


class OptunaDashboards:
    """Opens dashboards, one a study since each has a storage of its own, and ends them as a context ends.

    They run in this process, so that a database's password shows in no list of processes.

    >>> with OptunaDashboards("127.0.0.1") as dashboards:
    ...     dashboards.opened
    {}

    Attributes:
        opened: addresses of the dashboards that are open, by study.
    """

    def __init__(self, host: str = "127.0.0.1", ports: Sequence[int] = ()) -> None:
        self._host = host
        self._ports = iter(ports)
        self._opening = threading.Lock()
        self._servers = ExitStack()
        self.opened: dict[str, str] = {}

    def __enter__(self) -> OptunaDashboards:
        return self

    def __exit__(self, *_: object) -> None:
        self._servers.close()

    @property
    def installed(self) -> bool:
        """Whether the package is there: it is an extra, ``dashboard``."""
        return find_spec("optuna_dashboard") is not None

    def open(self, folder: StudyFolder) -> str:
        """Return the address of the dashboard of a study, opened unless it is."""
        with self._opening:
            if folder.name not in self.opened:
                self.opened[folder.name] = self._serve(folder)
            return self.opened[folder.name]

    def _serve(self, folder: StudyFolder) -> str:
        import optuna
        from optuna_dashboard import wsgi

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        logging.getLogger("bottle").setLevel(logging.ERROR)
        server = make_server(
            self._host,
            next(self._ports, 0),
            wsgi(folder.optuna_url),
            server_class=ThreadedWSGIServer,
            handler_class=_Silent,
        )
        self._servers.callback(server.server_close)
        self._servers.callback(server.shutdown)
        threading.Thread(target=server.serve_forever, name="optuna-dashboard", daemon=True).start()
        return f"http://{self._host}:{server.server_port}/dashboard"
