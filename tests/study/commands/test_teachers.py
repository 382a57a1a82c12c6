"""Teachers from weight files: checked, measured, filed under their hash; or one line, nothing left behind."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch

from study.cli import main
from study.loading import load_space
from study.plan.resolve import resolve
from tests.study.test_launch import launch
from trainables.config import Data
from trainables.models import build
from trainables.models.weights import load_published, state_sha256
from trainables.storage.run_store import RunStore
from trainables.teacher.importing import import_teacher, read_teacher

DIGITS = Data(name="cluttered_digits", options={"scenes": 100, "test": 100})
Write = Callable[..., Path]


@pytest.fixture
def published(tmp_path: Path) -> Callable[..., Path]:
    """Writes an untrained network as RepDistiller does."""

    def write(name: str = "resnet8", classes: int = 10) -> Path:
        torch.manual_seed(0)
        path = tmp_path / f"{name}.pth"
        torch.save({"epoch": 240, "accuracy": 1.0, "model": build(name, classes).state_dict()}, path)
        return path

    return write


def test_a_teacher_is_measured_and_filed_under_its_hash(
    published: Callable[..., Path], tmp_path: Path
) -> None:
    store = RunStore(tmp_path / "store")
    about = import_teacher(store, published(), "resnet8", data=DIGITS)
    filed = load_published(store.teacher(about["weights"]))
    assert about["weights"] == state_sha256(filed) == state_sha256(load_published(published()))
    assert (about["num_classes"], about["image_size"], about["data"]) == (10, 32, "cluttered_digits")
    assert 0 <= about["test/top1"] <= 100
    assert store.teachers() == [about]
    assert import_teacher(store, published(), "resnet8", data=DIGITS) == about
    assert len(store.teachers()) == 1


def test_without_data_classes_are_cifar_100s_or_given(published: Callable[..., Path], tmp_path: Path) -> None:
    store = RunStore(tmp_path / "store")
    assert "test/top1" not in import_teacher(store, published(classes=100), "resnet8")
    about = import_teacher(store, published(classes=7), "resnet8", num_classes=7, image_size=64)
    assert (about["num_classes"], about["image_size"]) == (7, 64)


class Hostile:
    """Would run code if it were unpickled."""

    def __reduce__(self) -> Any:
        return argparse.Namespace, ()


def bad_files(folder: Path) -> dict[str, Path]:
    files = {name: folder / name for name in ("cut.pth", "text.pth", "hostile.pth", "empty.pth")}
    torch.save({"model": build("resnet8", 100).state_dict()}, files["cut.pth"])
    files["cut.pth"].write_bytes(files["cut.pth"].read_bytes()[:-5000])
    files["text.pth"].write_text("no weights")
    torch.save({"model": Hostile}, files["hostile.pth"])
    torch.save({}, files["empty.pth"])
    return {**files, "missing.pth": folder / "missing.pth"}


@pytest.mark.parametrize("name", ["cut.pth", "text.pth", "hostile.pth", "empty.pth", "missing.pth"])
def test_a_file_that_is_none_is_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, results = bad_files(tmp_path)[name], tmp_path / "results"
    assert main(["teachers", "import", str(file), "--name", "resnet8", "--results", str(results)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert name in error
    assert error.count("\n") == 1
    assert not results.exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--name", "resnet20"], "weights do not fit ResNet"),
        (["--name", "resnet8", "--classes", "10"], "fc.weight"),
        (["--name", "resnet9"], "unknown network 'resnet9'"),
        (["--name", "resnet8", "--data", "cluttered_digits"], "fc.weight"),
        (["--name", "resnet8", "--data", "cluttered_digits", "--classes", "100"], "10 classes, not 100"),
        (["--name", "resnet8", "--data", "cifar100", "--root", "nowhere"], "root: nowhere does not exist"),
        (["--name", "resnet8", "--data", "cifar1000"], "did you mean"),
        (["--name", "resnet8", "--root", "nowhere"], "--root: of which data set?"),
    ],
)
def test_what_does_not_fit_is_one_line(
    arguments: list[str],
    said: str,
    published: Callable[..., Path],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    results = tmp_path / "results"
    file = str(published(classes=100))
    assert main(["teachers", "import", file, *arguments, "--results", str(results)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not results.exists()


def test_imported_teachers_are_listed(
    published: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = ["--results", str(tmp_path / "results")]
    assert main(["teachers", "list", *results]) == 0
    assert capsys.readouterr().out.startswith("no teacher is filed")
    assert (
        main(["teachers", "import", str(published()), "--name", "resnet8", "--classes", "10", *results]) == 0
    )
    told = capsys.readouterr().out
    assert "resnet8, 10 classes, resnet8.pth" in told
    assert main(["teachers", "list", *results]) == 0
    assert capsys.readouterr().out == told


def test_a_study_refuses_weights_of_another_network_before_it_begins(
    space: Write, published: Callable[..., Path]
) -> None:
    good, bad = published("resnet8"), published("wrn_10_1")
    assert read_teacher(good, "resnet8", 10, 32)
    resolve(load_space(space(), [f"pairs.0.weights={str(good)!r}"]))
    with pytest.raises(ValueError, match=r"^pairs\.0\.weights: weights do not fit ResNet"):
        resolve(load_space(space(), [f"pairs.0.weights={str(bad)!r}"]))


@pytest.mark.ray
def test_a_study_measures_the_teacher_it_was_given_and_says_that_it_knows_nothing(
    space: Write, published: Callable[..., Path], tmp_path: Path
) -> None:
    results, file = tmp_path / "results", f"{str(published())!r}"
    options = [f"pairs.0.weights={file}", f"pairs.1.weights={file}", "budget.trials=1", "confirm.seeds=1"]
    arguments = [word for option in options for word in ("--set", option)]
    done = launch("--space", space(), "--results", results, *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    trials = pd.read_csv(results / "small" / "trials.csv")
    (teacher,) = trials[trials["stage"] == "teachers"].to_dict("records")
    assert (teacher["student"], teacher["role"], teacher["epochs"]) == ("resnet8", "given", 1)
    top1 = f"{teacher['test/top1']:.2f}"
    said = " ".join(done.stdout.split())
    assert f"teacher resnet8 has a test top-1 of {top1} %, chance has 10.00 %: are its classes" in said
    table = (results / "small" / "tables" / "study.md").read_text()
    assert f"| {top1} (1)<sup>a</sup> |" in table
    assert "weights that were given, measured here and not trained" in table
    (filed,) = RunStore(results / "_store").teachers()
    assert (filed["file"], filed["test/top1"]) == ("resnet8.pth", teacher["test/top1"])
