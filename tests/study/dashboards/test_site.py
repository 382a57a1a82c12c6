"""The site: links, live reports, files; what it hands out and what it does not."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from study.dashboards.mlflow_server import MlflowServer
from study.dashboards.optuna_dashboards import OptunaDashboards
from study.dashboards.site import SiteServer, StudySite
from study.errors import TrackingError, UserError
from study.workspace.folder import StudyFolder
from tests.study.made import PAIR, records, search, write_folder


@pytest.fixture
def folder(tmp_path: Path) -> StudyFolder:
    write_folder(tmp_path / "results", "made", [r for r in records() if r.stage != "search"])
    (tmp_path / "results" / "secret.csv").write_text("not of this study")
    return StudyFolder(tmp_path / "results", "made")


@pytest.fixture
def site(folder: StudyFolder) -> Iterator[StudySite]:
    with OptunaDashboards() as optuna:
        yield StudySite({folder.name: folder}, MlflowServer(folder), optuna)


def test_another_servers_port_is_not_taken_for_mlflows(folder: StudyFolder) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        taken = f"cannot listen on 127.0.0.1:{port} .*; choose another --host or --port"
        with pytest.raises(TrackingError, match=taken), MlflowServer(folder, port=port):
            pass


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 65536), ("203.0.113.7", 0)])
def test_an_address_that_cannot_be_is_told_and_leaves_no_database(
    folder: StudyFolder, host: str, port: int
) -> None:
    told = f"cannot listen on {host}.*; choose another --host or --port"
    with pytest.raises(TrackingError, match=told), MlflowServer(folder, host, port):
        pass
    assert not (folder.results / "mlflow.db").exists()


def test_a_report_that_could_not_be_made_is_made_once_it_can(site: StudySite, folder: StudyFolder) -> None:
    file = folder.path / "study.json"
    whole = file.read_text()
    file.write_text(whole[:20])
    page = site.answer("/made/report.html").body.decode()
    assert "study.json: damaged" in page
    assert 'http-equiv="refresh"' in page
    file.write_text(whole)
    assert "Confirmed configurations" in site.answer("/made/report.html").body.decode()


def test_the_page_of_links_says_where_the_study_stands_and_leads_on(site: StudySite) -> None:
    page = site.answer("/").body.decode()
    assert "done" in page
    for way in ("report.html", "mlflow", "optuna", "files/"):
        assert f'href="/made/{way}"' in page
    assert "MLflow is starting" in page, "nobody has started it here"


def test_the_report_follows_the_journal(
    site: StudySite, folder: StudyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("study.dashboards.live_report.AT_MOST_EVERY_S", 0.0)
    before, version = (site.answer(f"/made/{name}").body.decode() for name in ("report.html", "version"))
    assert version in before
    assert "Learning curves of the search" not in before
    write_folder(folder.results, "later", [*records(), *search(PAIR, 9)])
    folder.journal.write_bytes((folder.results / "later" / "journal.jsonl").read_bytes())
    assert site.answer("/made/version").body.decode() != version
    assert "Learning curves of the search" in site.answer("/made/report.html").body.decode()
    assert not (folder.path / "report.html").exists(), "a look writes nothing"


def test_a_study_without_a_finished_trial_says_so(site: StudySite, folder: StudyFolder) -> None:
    folder.journal.write_text("")
    assert "no trials yet" in site.answer("/made/report.html").body.decode()


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/other/report.html",
            "/made/none",
            "/made/files/../../secret.csv",
            "/made/files/%2e%2e/%2e%2e/secret.csv",
        ),
        *("/made/files/journal.jsonl", "/made/files//etc/passwd", "/made/files/optuna.db"),
    ],
)
def test_what_is_not_the_studys_to_read_is_not_found(site: StudySite, path: str) -> None:
    assert site.answer(path).status == HTTPStatus.NOT_FOUND


def test_files_are_listed_and_read(site: StudySite, folder: StudyFolder) -> None:
    (folder.path / "tables").mkdir()
    (folder.path / "tables" / "summary.md").write_text("| ± |")
    assert "tables/" in site.answer("/made/files/").body.decode()
    assert "summary.md" in site.answer("/made/files/tables/").body.decode()
    assert site.answer("/made/files/tables/summary.md").body.decode() == "| ± |"


def test_a_browser_gets_pages_and_is_sent_on(site: StudySite, folder: StudyFolder) -> None:
    import optuna

    optuna.create_study(storage=folder.optuna_url, study_name="made/pairs")
    with SiteServer(site, "127.0.0.1", 0) as server:
        with urlopen(f"{server.url}/") as answer:
            assert "made" in answer.read().decode()
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"{server.url}/none/")
        with urlopen(f"{server.url}/made/optuna") as answer:
            assert answer.url == site.optuna.opened["made"]
            dashboard = answer.url.removesuffix("/dashboard")
        with urlopen(f"{dashboard}/api/studies") as answer:
            assert "made/pairs" in answer.read().decode()
        with pytest.raises(UserError, match="--port"):
            SiteServer(site, "127.0.0.1", server.server_port)
