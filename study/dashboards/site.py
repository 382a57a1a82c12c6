"""Answers a browser: the page of links, the reports as they are now, files of studies, ways to the others.

/                      links
/NAME/report.html      the report, made anew as the study goes on
/NAME/files/...        what the study's folder holds to be read
/NAME/mlflow           sent on to the study's page in MLflow
/NAME/optuna           sent on to its searches in Optuna's dashboard
"""

from __future__ import annotations

import mimetypes
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from study.dashboards.links import links_page
from study.dashboards.live_report import LiveReport
from study.dashboards.mlflow_server import MlflowServer
from study.dashboards.optuna_dashboards import OptunaDashboards
from study.errors import UserError
from study.workspace.folder import StudyFolder

READABLE = frozenset({".csv", ".html", ".log", ".md", ".png", ".svg", ".tex", ".json"})
"""Endings of what a study leaves to be read; its databases and its journal are not handed out."""

HTML = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """Holds what a browser is told: a page or a file, or where to go."""

    body: bytes = b""
    kind: str = HTML
    status: HTTPStatus = HTTPStatus.OK
    goes_to: str = ""


@dataclass(frozen=True, slots=True)
class StudySite:
    """Gives the answer to each path; knows nothing of sockets."""

    folders: Mapping[str, StudyFolder]
    mlflow: MlflowServer
    optuna: OptunaDashboards
    reports: dict[str, LiveReport] = field(default_factory=dict)

    def answer(self, path: str) -> Answer:
        """Return the answer to a request for ``path``, which may be anything."""
        name, _, rest = unquote(urlsplit(path).path).lstrip("/").partition("/")
        if not name:
            page = links_page(list(self.folders.values()), self.optuna.installed, self.mlflow.answers())
            return Answer(page.encode())
        folder = self.folders.get(name)
        if folder is None:
            return not_found(path)
        if rest == "report.html":
            return Answer(self._report(folder).page().encode())
        if rest == "version":
            return Answer(self._report(folder).version.encode(), "text/plain")
        if rest == "mlflow":
            return Answer(status=HTTPStatus.FOUND, goes_to=self.mlflow.page_of(name))
        if rest == "optuna" and self.optuna.installed:
            return Answer(status=HTTPStatus.FOUND, goes_to=self.optuna.open(folder))
        if rest.startswith("files/"):
            return file_in(folder.path, rest.removeprefix("files/")) or not_found(path)
        return not_found(path)

    def _report(self, folder: StudyFolder) -> LiveReport:
        return self.reports.setdefault(folder.name, LiveReport(folder))


def not_found(path: str) -> Answer:
    """Return the answer for what is not there."""
    text = f"<!doctype html><title>not found</title><p>nothing at {escape(path)}. <a href='/'>Studies</a>"
    return Answer(text.encode(), status=HTTPStatus.NOT_FOUND)


def file_in(folder: Path, inside: str) -> Answer | None:
    """Return a file of a study's folder, or the list of a folder's; None for all else, also outside of it."""
    root, path = folder.resolve(), (folder / inside).resolve()
    if not path.is_relative_to(root):
        return None
    if path.is_dir():
        shown = sorted(each for each in path.iterdir() if each.is_dir() or each.suffix in READABLE)
        names = [each.name + ("/" if each.is_dir() else "") for each in shown if each.name[0] != "."]
        items = "".join(f'<li><a href="{quote(name)}">{escape(name)}</a></li>' for name in names)
        title = escape(f"{root.name}/{inside}")
        return Answer(f"<!doctype html><title>{title}</title><h1>{title}</h1><ul>{items}</ul>".encode())
    if path.suffix not in READABLE or not path.is_file():
        return None
    kind = HTML if path.suffix == ".html" else mimetypes.guess_type(path.name)[0] or "text/plain"
    return Answer(path.read_bytes(), "text/plain; charset=utf-8" if path.suffix in (".md", ".log") else kind)


class SiteServer(ThreadingHTTPServer):
    """Serves a :class:`StudySite` on a thread of its own, as a context manager.

    Raises:
        UserError: the port is taken.
    """

    daemon_threads = True

    def __init__(self, site: StudySite, host: str, port: int) -> None:
        self.site = site
        try:
            super().__init__((host, port), SiteHandler)
        except (OSError, OverflowError) as error:
            raise UserError(f"--port {port}: {error}; name another one, 0 for any that is free") from None

    @property
    def url(self) -> str:
        """Address of the page of links."""
        return f"http://{self.server_address[0]!s}:{self.server_port}"

    def __enter__(self) -> SiteServer:
        threading.Thread(target=self.serve_forever, name="study-site", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class SiteHandler(BaseHTTPRequestHandler):
    """Reads a request and writes the site's answer."""

    server: SiteServer

    def do_GET(self) -> None:
        """Answer a GET."""
        answer = self.server.site.answer(self.path)
        self.send_response(answer.status)
        if answer.goes_to:
            self.send_header("Location", answer.goes_to)
        self.send_header("Content-Type", answer.kind)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Write no line a request to the terminal."""
