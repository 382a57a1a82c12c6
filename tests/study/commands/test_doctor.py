"""``sdd-study doctor``: what it finds on a machine that works, what it says of each fault, what it leaves."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from study.doctor import machine, services
from study.doctor.findings import DoctorContext, Finding, run_checks
from study.workspace.folder import StudyFolder
from study.workspace.locations import Locations
from tests.inputs import sets
from tests.study.commands.conftest import Command

Write = Callable[..., Path]


@pytest.fixture(autouse=True)
def _no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MLFLOW_TRACKING_URI", "RAY_ADDRESS", "SDD_STORE", "SDD_OPTUNA_URL"):
        monkeypatch.delenv(name, raising=False)


def situation(results: Path, **fields: Any) -> DoctorContext:
    places = Locations(**{name: fields.pop(name) for name in ("store", "optuna") if name in fields})
    return DoctorContext(StudyFolder(results, "doctor", places), **fields)


def by_name(findings: Iterable[Finding]) -> dict[str, Finding]:
    return {item.name: item for item in findings}


def test_a_machine_that_works_passes_and_nothing_is_left_on_it(
    tmp_path: Path, space: Write, asked: Callable[..., Any]
) -> None:
    file = space()
    before = sorted(tmp_path.rglob("*"))
    store = tmp_path / "nfs" / "store"
    options = ("--results", tmp_path / "a" / "results", "--space", file, "--store", store, "--no-ray")
    found = {item["name"]: item for item in asked("doctor", *options)}
    assert {item["status"] for item in found.values()} <= {"ok", "warn"}
    names = {"versions", "cpu", "compiler", "shared memory", "results", "disk", "store", "optuna", "mlflow"}
    assert names | {"space", "data"} <= set(found)
    assert "10 classes" in found["data"]["found"]
    assert "ray" not in found
    assert sorted(tmp_path.rglob("*")) == before


def test_each_fault_is_a_line_with_its_remedy_and_the_others_are_still_looked_at(
    tmp_path: Path, space: Write, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results").write_text("a file")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    optuna = "postgresql+psycopg://127.0.0.1:9/none?connect_timeout=2"
    options = ("--results", tmp_path / "results", "--optuna", optuna, "--no-ray")
    text = {'name="cluttered_digits"': 'name="packed", root="nowhere.npz"'}
    text[', options={"scenes": 100, "test": 100}'] = ""
    code, out, _ = command("doctor", *options, "--space", space(**text))
    assert code == 2
    failed = [line.split()[1] for line in out.splitlines() if line.startswith("fail")]
    assert failed == ["results", "optuna", "mlflow", "space"]
    assert "data.root" in out
    for remedy in ("another --results", "SDD_OPTUNA_URL", "MLFLOW_TRACKING_URI"):
        assert remedy in out
    assert out.splitlines()[-1].startswith("4 of ")


@pytest.mark.slow
def test_an_mlflow_database_is_written_and_read_and_as_it_was(tmp_path: Path) -> None:
    here = situation(tmp_path)
    from study.tracking.client import connect

    connect(here.folder).create_experiment("one", artifact_location=(tmp_path / "artifacts").as_uri())
    found = by_name(services.check_mlflow(here))
    assert [item.status for item in found.values()] == ["ok", "ok"]
    with sqlite3.connect(tmp_path / "mlflow.db") as database:
        assert database.execute("select count(*) from experiment_tags").fetchone() == (0,)
    assert not [path for path in (tmp_path / "artifacts").rglob("*") if path.is_file()]


def test_a_package_that_is_too_old_or_missing_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from packaging.requirements import Requirement

    wanted = [Requirement("optuna>=99"), Requirement("sdd-no-such-package>=1"), Requirement("numpy>=2")]
    monkeypatch.setattr(machine, "requirements", lambda: wanted)
    (found,) = machine.check_versions(situation(tmp_path))
    assert found.status == "fail"
    assert "is not >=99" in found.found
    assert "sdd-no-such-package>=1 is not installed" in found.found
    assert "numpy" not in found.found


def test_the_projects_own_requirements_are_read() -> None:
    assert {"torch", "ray", "optuna", "mlflow"} <= {item.name for item in machine.requirements()}


def test_a_small_shared_memory_and_a_missing_compiler_are_warned_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("shutil.which", lambda name: None)
    (found,) = machine.check_compiler(situation(tmp_path))
    assert (found.status, "g++" in found.remedy) == ("warn", True)
    usage = type("Usage", (), {"free": 64 * 2**20})
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    (found,) = machine.check_shared_memory(situation(tmp_path))
    assert (found.status, found.found) == ("warn", "0.1 GiB free")
    assert "--shm-size" in found.remedy


def test_a_check_that_breaks_is_a_finding_and_the_next_one_runs(tmp_path: Path) -> None:
    def broken(here: DoctorContext) -> Iterable[Finding]:
        raise ValueError("two\nlines")

    checks = [("first", broken), ("versions", machine.check_versions)]
    first, second = run_checks(checks, situation(tmp_path))
    assert (first.name, first.status, first.found) == ("first", "fail", "ValueError: two lines")
    assert (second.name, second.status) == ("versions", "ok")


def test_a_cluster_that_is_not_there_fails_with_a_remedy(tmp_path: Path) -> None:
    (found,) = services.check_ray(situation(tmp_path, address="127.0.0.1:9"))
    assert (found.status, "--address" in found.remedy) == ("fail", True)
    assert "cannot reach Ray at 127.0.0.1:9" in found.found


@pytest.mark.slow
@pytest.mark.ray
def test_ray_starts_here_and_runs_a_task_with_these_versions(tmp_path: Path) -> None:
    found = by_name(services.check_ray(situation(tmp_path)))
    assert found["ray"].status == "ok"
    assert "1 node" in found["ray"].found
    assert "ray's versions" not in found


def test_every_file_is_read_on_request_and_each_that_cannot_be_is_named(
    tmp_path: Path, command: Command
) -> None:
    data = sets.imagenet(sets.edited("train/n01/2.JPEG", lambda whole: whole[:200]))(tmp_path / "data")
    sets.image("val/n02/1.JPEG", "CMYK")(tmp_path / "data")
    file = tmp_path / "own.py"
    file.write_text(
        "from study.spec import *\n"
        f"STUDY = StudySpec(data=Data(name='imagenet', root={str(data.root)!r}),\n"
        "    pairs=[Pair('resnet8', 'resnet8')], methods=[KD()], training=Training(precision='float32'))\n"
    )
    options = ("--results", tmp_path / "results", "--space", file, "--no-ray")
    code, out, _ = command("doctor", *options)
    assert (code, "data files" in out) == (0, False)
    code, out, progress = command("doctor", *options, "--read")
    assert code == 2
    (line,) = [line for line in out.splitlines() if "data files" in line]
    assert "2.JPEG cannot be read" in line
    assert "copy it again" in out
    assert "12 of 12 read" in progress
    (tmp_path / "data/train/n01/2.JPEG").unlink()
    code, out, _ = command("doctor", *options, "--read")
    assert code == 0
    assert "each of 11 images can be read" in out


def test_reading_files_needs_a_space(command: Command) -> None:
    assert command("doctor", "--read")[2].startswith("error: --read: of which data? add --space")
