"""Places that cannot hold a study are told and left as they are; what is printed can be pasted."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from study.errors import UserError
from study.workspace.folder import DEFAULT_RESULTS, StudyFolder
from study.workspace.locations import Locations
from study.workspace.sqlite import sqlite_file, sqlite_url

ODD = "50 % of $HOME?#{x}'s & more"


def file(place: Path) -> Path:
    place.joinpath("results").write_text("not a folder")
    return place / "results"


def below_a_file(place: Path) -> Path:
    return file(place) / "deeper"


def dangling(place: Path) -> Path:
    place.joinpath("results").symlink_to("/no/such/folder")
    return place / "results"


def circle(place: Path) -> Path:
    place.joinpath("results").symlink_to("results")
    return place / "results"


def long(place: Path) -> Path:
    return place / ("x" * 300)


def the_study_a_file(place: Path) -> Path:
    place.joinpath("mine").write_text("not a folder")
    return place


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (file, "results is a file, and results go into a folder; move it away, or choose another folder"),
        (below_a_file, "results is a file, and results go into a folder"),
        (dangling, "results is a link that leads nowhere; mend it, or choose another folder with --results"),
        (circle, r"cannot be used \(Too many levels of symbolic links\)|is a link that leads nowhere"),
        (long, r"cannot be used \(File name too long\); choose another folder with --results"),
        (the_study_a_file, "mine is a file, and results go into a folder"),
    ],
)
def test_what_is_no_folder_is_told(make: object, said: str, tmp_path: Path) -> None:
    assert callable(make)
    results = make(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(UserError, match=said):
        StudyFolder(results, "mine").check()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_place_that_only_seems_to_be_writable_is_told() -> None:
    with (
        pytest.raises(UserError, match=r"cannot write /proc/results/mine \(No such file or directory\)"),
        StudyFolder(Path("/proc/results"), "mine").lock(),
    ):
        pytest.fail("it was made")


def test_a_folder_that_can_be_made_is_left_unmade(tmp_path: Path) -> None:
    tmp_path.joinpath("real").mkdir()
    tmp_path.joinpath("link").symlink_to("real")
    StudyFolder(tmp_path / "link" / "a" / "b", "mine").check()
    assert list(tmp_path.joinpath("real").iterdir()) == []


def test_what_is_printed_can_be_pasted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = StudyFolder(tmp_path / ODD, "mine")
    ways = dict(folder.ways_in)
    program, *_, url = shlex.split(ways["MLflow"])
    assert (program, sqlite_file(url)) == ("mlflow", tmp_path / ODD / "mlflow.db")
    program, url = shlex.split(ways["Optuna"])
    assert (program, sqlite_file(url)) == ("optuna-dashboard", tmp_path / ODD / "mine" / "optuna.db")
    asked = shlex.split(ways["in a browser"])
    assert asked == ["sdd-study", "ui", "--results", str(tmp_path / ODD), "mine"]


def test_commands_find_the_usual_folder_without_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for results in (DEFAULT_RESULTS, DEFAULT_RESULTS.absolute()):
        assert dict(StudyFolder(results, "mine").ways_in)["in a browser"] == "sdd-study ui mine"


def test_a_server_of_mlflow_is_its_own_way_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:secret@mlflow.example.org")
    ways = dict(StudyFolder(tmp_path, "mine").ways_in)
    assert ways["MLflow"] == "https://me:***@mlflow.example.org"


@pytest.mark.parametrize("name", ["plain", "a b", ODD, "a?mode=memory&b", "ü", "100%25", "{}"])
def test_sqlalchemy_reads_the_file_that_was_meant(name: str, tmp_path: Path) -> None:
    from sqlalchemy import create_engine, text

    file = tmp_path / name / "optuna.db"
    file.parent.mkdir()
    url = sqlite_url(file)
    engine = create_engine(url.format(SCHEMA_VERSION=12))  # as Optuna fills it in
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE t (n INT)"))
    engine.dispose()
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]
    assert sqlite_file(url) == file


def test_what_lies_in_the_results_folder_is_found_where_it_was_moved_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SDD_STORE", "SDD_OPTUNA_URL"):
        monkeypatch.delenv(name, raising=False)
    results = tmp_path / "results"
    asked = Locations.of(str(results / "shared"), sqlite_url(results / "optuna.db"))
    asked.remember(results / "mine")
    assert StudyFolder(results, "mine").locations == asked
    results.rename(tmp_path / "moved")
    moved = StudyFolder(tmp_path / "moved", "mine")
    assert moved.store.root == str(tmp_path / "moved" / "shared")
    assert moved.optuna_url == sqlite_url(tmp_path / "moved" / "optuna.db")


def test_a_database_named_from_one_folder_is_found_from_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = Locations.of("store", "sqlite:///optuna.db")
    assert asked == Locations(str(tmp_path / "store"), sqlite_url(tmp_path / "optuna.db"))
