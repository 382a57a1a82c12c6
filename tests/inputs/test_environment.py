"""Machines as people have them: folders, names, variables; what a launch makes of each before it runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from study.compute.address import check_answers
from study.compute.local_ray import BELOW, LONGEST_PATH, carry_token, temporary_folder
from study.loading import complete
from study.spec import KD, Pair, StudySpec
from study.workspace.folder import StudyFolder
from study.workspace.sqlite import sqlite_file
from tests.inputs.case import Case, Read, Refused, hold, table
from trainables.config import Data


def results(*parts: str, link: str = "", file: str = "") -> Callable[[Path], Path]:
    """A results folder below the place, where something else may be already."""

    def make(place: Path) -> Path:
        if link:
            (place / link).symlink_to("/no/such/folder")
        if file:
            (place / file).write_text("x")
        return place.joinpath(*parts)

    return make


FOLDERS = (
    Case("a folder that is not there yet", results("a", "b"), Read()),
    Case("a folder with blanks, quotes and %", results("50 % of Ann's {x}?#"), Read()),
    Case("a folder in another alphabet", results("結果"), Read()),
    Case("a file", results("results", file="results"), Refused("results is a file, and results go into a folder")),
    Case("below a file", results("results", "a", file="results"), Refused("results is a file")),
    Case("a study's folder that is a file", results(file="mine"), Refused("mine is a file")),
    Case("a link that leads nowhere", results("results", link="results"), Refused("is a link that leads nowhere; mend it")),
    Case("below such a link", results("results", "a", link="results"), Refused("is a link that leads nowhere; mend it")),
    Case("a name of 300 letters", results("x" * 300), Refused(r"File name too long\); choose another folder with --results")),
)  # fmt: skip

NAMES = (
    Case("a plain name", lambda p: "cifar_pairs-2", Read()),
    Case("a name of 300 letters", lambda p: "x" * 300, Refused("name: has 300 characters, .* may have 120")),
    Case("the store's name", lambda p: "_store", Refused("name: '_store' is a folder that results have of their own")),
    Case("MLflow's folder in capitals", lambda p: "MLartifacts", Refused("name: 'MLartifacts' is .*give another")),
    Case("a name like an option", lambda p: "-x", Refused("name: '-x' begins like an option")),
    Case("a name with a slash", lambda p: "../x", Refused("may hold letters a to z, digits, - and _ only")),
)  # fmt: skip

ADDRESSES = (
    Case("nothing listens", lambda p: "127.0.0.1:9", Refused(r"cannot reach Ray at 127\.0\.0\.1:9")),
    Case("a job server", lambda p: "http://head:8265", Refused("is a job server's; launch from here with --submit http://head:8265")),
    Case("Ray Client", lambda p: "ray://head:10001", Refused("is Ray Client's; .* --submit http://HOST:8265")),
)  # fmt: skip


@table(*FOLDERS)
def test_folders(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)

    def take(made: Path) -> tuple[str, ...]:
        folder = StudyFolder(made, "mine")
        before = sorted(tmp_path.rglob("*"))
        try:
            folder.check()
        finally:
            assert sorted(tmp_path.rglob("*")) == before, "nothing was made"
        assert sqlite_file(folder.optuna_url) == folder.path / "optuna.db"
        assert sqlite_file(folder.mlflow_uri) == made / "mlflow.db"
        return ()

    hold(case, tmp_path, take)


@table(*NAMES)
def test_names(case: Case, tmp_path: Path) -> None:
    def take(name: str) -> tuple[str, ...]:
        spec = StudySpec(
            data=Data(name="cluttered_digits"), pairs=(Pair("resnet8", "resnet8"),), methods=(KD(),)
        )
        assert complete(spec, [f"name={name!r}"], "space.py", "space").name == name
        return ()

    hold(case, tmp_path, take)


@table(*ADDRESSES)
def test_addresses(case: Case, tmp_path: Path) -> None:
    def take(address: str) -> tuple[str, ...]:
        check_answers(address)
        return ()

    hold(case, tmp_path, take)


def folder(*parts: str, make: bool = True) -> Callable[[Path], str]:
    """A temporary folder below a short one."""

    def made(place: Path) -> str:
        found = Path(tempfile.mkdtemp(prefix="t", dir="/tmp"), *parts)
        if make:
            found.mkdir(parents=True, exist_ok=True)
        return str(found)

    return made


TEMPORARY: tuple[tuple[str, Callable[[Path], str], bool], ...] = (
    ("a short one", folder("a"), True),
    ("one that is not there yet", folder("a", make=False), True),
    ("one of 119 characters", folder("x" * 105), False),
    ("one below a file", lambda place: "/etc/hostname/tmp", False),
)


@pytest.mark.parametrize(("about", "make", "default"), TEMPORARY, ids=[row[0] for row in TEMPORARY])
def test_temporary_folders(
    about: str, make: Callable[[Path], str], default: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RAY_TMPDIR", raising=False)
    monkeypatch.setenv("TMPDIR", make(tmp_path))
    options = temporary_folder()
    assert options == ({} if default else {"_temp_dir": "/tmp/ray"})
    used = options.get("_temp_dir") or f"{os.environ['TMPDIR']}/ray"
    assert len(used) + BELOW - len("/ray") <= LONGEST_PATH


def home(*parts: str, token: bool = False) -> Callable[[Path], str]:
    def made(place: Path) -> str:
        found = place.joinpath("home", *parts)
        if token:
            (found / ".ray").mkdir(parents=True)
            (found / ".ray" / "auth_token").write_text("secret")
        return str(found)

    return made


HOMES: tuple[tuple[str, Callable[[Path], str], dict[str, str], bool], ...] = (
    ("a home that can be written to", home(), {}, False),
    ("a home that has a token", home(token=True), {}, False),
    ("a home that is no folder", lambda place: "/dev/null", {}, True),
    ("such a home, with a token at hand", lambda place: "/dev/null", {"RAY_AUTH_TOKEN": "mine"}, False),
    ("such a home, without authentication", lambda place: "/dev/null", {"RAY_AUTH_MODE": "disabled"}, False),
)


@pytest.mark.parametrize(("about", "make", "more", "carried"), HOMES, ids=[row[0] for row in HOMES])
def test_homes(
    about: str,
    make: Callable[[Path], str],
    more: dict[str, str],
    carried: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    environment: dict[str, Any] = {"HOME": make(tmp_path), **more}
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.setenv(name, "")  # so that it is taken away afterwards
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    carry_token()
    assert ("RAY_AUTH_TOKEN" in os.environ.keys() - more.keys()) is carried
