"""``--submit`` where it does not get to a cluster of ours; where it does, ``make cluster-test`` tries it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from study.cli import main, without_submit

Serve = Callable[[int, dict[str, str]], str]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts a server that gives one answer; its address."""
    servers: list[HTTPServer] = []

    def start(status: int, answer: dict[str, str]) -> str:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(status)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        server = HTTPServer(("127.0.0.1", 0), Handler)
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one line of a command that ends with exit code 2."""
    assert main(list(words)) == 2
    line = capsys.readouterr().err
    assert line.startswith("error: ")
    assert line.count("\n") == 1
    return line


def test_an_address_where_nobody_listens(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "status", "quickstart", "--submit", "http://127.0.0.1:9")
    assert "no job server answers" in line
    assert "ray attach" in line


def test_something_that_is_no_address(capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "launch", "--space", "quickstart", "--submit", "localhost")
    assert "not an address such as http://localhost:8265" in line


def test_another_version_of_ray(serve: Serve, capsys: pytest.CaptureFixture[str]) -> None:
    about = {"version": "4", "ray_version": "2.40.0", "ray_commit": "x", "session_name": "s"}
    line = refused(capsys, "launch", "--space", "quickstart", "--submit", serve(200, about))
    assert "the cluster runs Ray 2.40.0, this machine" in line
    assert "requirements.lock" in line


@pytest.mark.parametrize("status", [401, 403])
def test_a_wrong_token(serve: Serve, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    line = refused(capsys, "status", "quickstart", "--submit", serve(status, {}))
    assert "the token is missing or wrong" in line


def test_a_space_with_a_slip_is_told_before_anything_is_sent(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("launch", "--space", "quickstart", "--set", "training.epoch=3")
    assert "did you mean 'epochs'" in refused(capsys, *words, "--submit", "http://127.0.0.1:9")


def test_the_option_itself_is_not_passed_on() -> None:
    assert without_submit(["status", "a", "--submit", "http://x", "--json"]) == ["status", "a", "--json"]
    assert without_submit(["status", "a", "--submit=http://x"]) == ["status", "a"]
