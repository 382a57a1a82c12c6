"""Small studies for the tests of the control plane: seconds a trial, made data, no downloads."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from study.report.write import report_studies
from study.results.folder_reader import read_folder
from tests.study.faults.killing import Study
from tests.study.made import PAIR, records, search, write_folder

SPACE = """
from study.spec import *

STUDY = StudySpec(
    data=Data(name="cluttered_digits", validation=0.2, options={{"scenes": 100, "test": 100}}),
    pairs=[Pair("resnet8", "wrn_10_1"), Pair("resnet8", "resnet8")],
    methods=[KD(), SDD(base=Choice("kd", "dkd"), alpha=LogFloat(0.25, 4), scales=Choice((1, 2), (1, 2, 4)))],
    training=Training(epochs=2, batch_size=32, lr=0.05, milestones=(), precision="float32"),
    search=Search(pairs="search", stop=ASHA(grace=1, reduction=2)),
    budget=Budget(trials=3),
    confirm=Confirm(best=1, paper=False, seeds=2),
    {extra}
)
"""


@pytest.fixture
def space(tmp_path: Path) -> Callable[..., Path]:
    """Writes a small space file; ``extra`` are further fields, ``text`` replaces parts of it."""

    def write(name: str = "small", extra: str = "", **replaced: str) -> Path:
        text = SPACE.format(extra=extra)
        for old, new in replaced.items():
            assert old in text, f"{old} is not in the space"
            text = text.replace(old, new)
        file = tmp_path / f"{name}.py"
        file.write_text(text)
        return file

    return write


@pytest.fixture(autouse=True)
def no_token() -> None:
    """Forget that a test before has submitted a job, which asks for a token: a Ray started here would."""
    os.environ.pop("RAY_AUTH_MODE", None)


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """The study that other tests kill, run in peace."""
    study = Study(tmp_path_factory.mktemp("undisturbed"))
    assert study.run() == 0, study.printed
    study.check()
    return study


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder with the study ``made``; tests may add studies."""
    path = tmp_path_factory.mktemp("made") / "results"
    kept = {item.key: item for item in [*records(), *search(PAIR, 9)]}
    write_folder(path, "made", kept.values())
    return path


@pytest.fixture(scope="session")
def reported(results: Path) -> Path:
    """The folder of its report."""
    report_studies([read_folder(results, "made")], results.parent / "out")
    return results.parent / "out"
