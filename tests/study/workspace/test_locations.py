"""Where the store and Optuna's database are: asked for, from the environment, remembered, or the default."""

from __future__ import annotations

from pathlib import Path

import pytest

from study.errors import LocationError, UserError
from study.workspace.folder import StudyFolder
from study.workspace.locations import Locations, check_database, without_password


@pytest.fixture(autouse=True)
def _no_places(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SDD_STORE", "SDD_OPTUNA_URL"):
        monkeypatch.delenv(name, raising=False)


def test_the_order_of_asking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = StudyFolder(tmp_path, "mine")
    assert folder.store.root == tmp_path / "_store"
    assert folder.optuna_url == f"sqlite:///{tmp_path}/mine/optuna.db"
    Locations("s3://lab/remembered", "sqlite:////remembered.db").remember(folder.path)
    assert folder.store.root == tmp_path / "_store", "a folder that was opened stays as it was"
    again = StudyFolder(tmp_path, "mine")
    assert again.store.root == "s3://lab/remembered"
    assert again.optuna_url == "sqlite:////remembered.db"
    monkeypatch.setenv("SDD_STORE", str(tmp_path / "env"))
    assert again.store.root == "s3://lab/remembered", "a folder that was opened stays as it was"
    assert StudyFolder(tmp_path, "mine").store.root == str(tmp_path / "env")
    asked = StudyFolder(tmp_path, "mine", Locations(optuna="sqlite:////asked.db"))
    assert asked.optuna_url == "sqlite:////asked.db"
    assert asked.store.root == str(tmp_path / "env")


def test_a_password_is_neither_shown_nor_written_down(tmp_path: Path) -> None:
    url = "postgresql+psycopg://me:secret@host/optuna"
    assert without_password(url) == "postgresql+psycopg://me:***@host/optuna"
    Locations(str(tmp_path), url).remember(tmp_path)
    assert "secret" not in (tmp_path / "places.json").read_text()
    assert Locations.remembered(tmp_path) == Locations(str(tmp_path), None)


def test_damaged_places_are_told_and_not_forgotten(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path, "mine")
    Locations("s3://lab/remembered").remember(folder.path)
    (folder.path / "places.json").write_text('{"store": "s3://la')
    with pytest.raises(UserError, match=r"places\.json: damaged, no JSON .*--store and --optuna"):
        StudyFolder(tmp_path, "mine")


@pytest.mark.parametrize(
    ("url", "part"),
    [
        ("optuna.db", "'optuna.db' is no database URL"),
        ("nosuch://host/x", "is no database URL"),
        ("sqlite:////no/such/folder/x.db", "does not answer"),
        ("postgresql+psycopg://me:secret@127.0.0.1:9/x", r"me:\*\*\*@127.0.0.1:9/x does not answer"),
    ],
)
def test_a_database_that_cannot_be_used_is_named(url: str, part: str) -> None:
    with pytest.raises(LocationError, match=part) as caught:
        check_database(url)
    assert "secret" not in str(caught.value)


def test_a_store_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(LocationError, match="--store: cannot write"):
        Locations(store=str(tmp_path / "file" / "x")).check()
