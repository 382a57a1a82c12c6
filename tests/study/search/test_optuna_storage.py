"""Optuna databases of other versions are told; one of another results folder's search is refused."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import optuna
import pytest

from study.errors import LocationError
from study.search.optuna_storage import check_version, open_as_it_is, open_optuna_storage
from study.search.ownership import check_owner, claim, identity
from study.workspace.sqlite import sqlite_url


def made(folder: Path, revision: str | None = None) -> str:
    """The URL of a database of Optuna's, set up by a version of that schema."""
    url = sqlite_url(folder / "optuna.db")
    open_optuna_storage(url, pytest.fail)
    if revision is not None:
        with sqlite3.connect(folder / "optuna.db") as connection:
            connection.execute(f"UPDATE alembic_version SET version_num = '{revision}'")
            connection.execute("UPDATE version_info SET library_version = '9.9.9'")
        connection.close()
    return url


def test_an_older_optunas_database_is_told_with_the_command_that_upgrades_it(tmp_path: Path) -> None:
    url = made(tmp_path, "v0.9.0.a")
    with pytest.raises(LocationError, match=r"was made by Optuna 9\.9\.9.*optuna storage upgrade") as caught:
        open_optuna_storage(url, pytest.fail)
    assert f"--storage {url}" in str(caught.value)
    for look in (open_as_it_is, check_version):
        with pytest.raises(LocationError, match="storage upgrade"):
            look(url)


def test_to_look_at_a_version_makes_nothing(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "empty.db") as connection:
        connection.execute("CREATE TABLE mine (n)")
    connection.close()
    before = (tmp_path / "empty.db").read_bytes()
    check_version(sqlite_url(tmp_path / "empty.db"))
    assert (tmp_path / "empty.db").read_bytes() == before


def test_a_newer_optunas_database_is_told(tmp_path: Path) -> None:
    with pytest.raises(LocationError, match=r"9\.9\.9.*pip install --upgrade optuna"):
        open_optuna_storage(made(tmp_path, "v99.0.0"), pytest.fail)


def test_another_programs_database_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "mlflow.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE alembic_version (version_num)")
    connection.close()
    before = file.read_bytes()
    with pytest.raises(LocationError, match="is another program's, such as MLflow's"):
        open_optuna_storage(sqlite_url(file), pytest.fail)
    assert file.read_bytes() == before


def journal(folder: Path, line: str) -> Path:
    folder.mkdir()
    file = folder / "journal.jsonl"
    file.write_text(line + "\n")
    return file


def test_two_results_folders_do_not_search_in_one_optuna_study(tmp_path: Path) -> None:
    storage = open_optuna_storage(sqlite_url(tmp_path / "optuna.db"), pytest.fail)
    names = ["mine/a-b/SDD@1"]
    first, second = journal(tmp_path / "first", '{"time":1.0}'), journal(tmp_path / "second", '{"time":2.0}')
    check_owner(storage, names, second)
    optuna.create_study(storage=storage, study_name=names[0])
    check_owner(storage, names, second)  # made before searches had owners, or by hand
    claim(storage, names, first)
    check_owner(storage, names, first)
    for other in (second, tmp_path / "third" / "journal.jsonl"):
        with pytest.raises(LocationError, match=r"search of a study 'mine' already, .*/first on .* --name"):
            check_owner(storage, names, other)
    check_owner(storage, ["mine/a-b/SDD@2"], second)


def test_a_results_folder_is_known_wherever_it_lies(tmp_path: Path) -> None:
    storage = open_optuna_storage(sqlite_url(tmp_path / "optuna.db"), pytest.fail)
    optuna.create_study(storage=storage, study_name="mine/a@1")
    file = journal(tmp_path / "first", '{"time":1.0}')
    claim(storage, ["mine/a@1"], file)
    before = identity(file)
    with file.open("a") as more:
        more.write('{"time":3.0}\n')
    file.parent.rename(tmp_path / "moved")
    moved = tmp_path / "moved" / "journal.jsonl"
    assert identity(moved) == before != ""
    check_owner(storage, ["mine/a@1"], moved)
    claim(storage, ["mine/a@1"], moved)
    (owner,) = (study.user_attrs["results"] for study in storage.get_all_studies())
    assert owner["folder"] == str(tmp_path / "moved")


def test_a_journal_that_lost_its_first_line_is_no_other_folders(tmp_path: Path) -> None:
    storage = open_optuna_storage(sqlite_url(tmp_path / "optuna.db"), pytest.fail)
    optuna.create_study(storage=storage, study_name="mine/a@1")
    file = journal(tmp_path / "first", '{"time":1.0}')
    claim(storage, ["mine/a@1"], file)
    file.write_text('{"time":2.0}\n')
    with pytest.raises(
        LocationError, match=r"first/journal\.jsonl: its first line, .* from a copy, or .* --name"
    ):
        check_owner(storage, ["mine/a@1"], file)
