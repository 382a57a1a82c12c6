"""What ``auto`` precision came to stays with a study, wherever it goes on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from study.errors import LocationError
from study.journal.journal import read_records
from study.plan import precision
from study.workspace.folder import StudyFolder
from study.workspace.locations import Locations
from tests.study.test_launch import launch
from trainables.engine import device as device_
from trainables.engine.device import Precision

Write = Callable[..., Path]


def file_of(folder: StudyFolder) -> Path:
    return folder.results / "_store" / "studies" / folder.name / "precision.json"


def other_than(best: Precision) -> Precision:
    return "float32" if best == "bf16" else "bf16"


def test_it_is_kept_in_the_store(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path / "results", "mine")
    assert precision.kept(folder) is None
    assert not folder.results.exists(), "asking creates nothing"
    precision.keep(folder, "bf16")
    assert precision.kept(folder) == "bf16"
    precision.keep(folder, "float32")
    assert precision.kept(folder) == "float32"
    assert precision.kept(StudyFolder(folder.results, "other")) is None


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"precision": "int4"}'])
def test_a_damaged_one_counts_as_none(tmp_path: Path, content: str) -> None:
    folder = StudyFolder(tmp_path, "mine")
    file_of(folder).parent.mkdir(parents=True)
    file_of(folder).write_text(content)
    assert precision.kept(folder) is None


def test_a_store_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    folder = StudyFolder(tmp_path, "mine", Locations(store=str(tmp_path / "store")))
    with pytest.raises(LocationError, match=r"--store: cannot read .*Not a directory"):
        precision.kept(folder)


@pytest.mark.ray
def test_a_study_keeps_the_precision_it_began_with(space: Write, tmp_path: Path) -> None:
    """It goes on as if it had begun on a machine for which the other precision is best."""
    begun = {'Pair("resnet8", "wrn_10_1"), ': "", 'precision="float32"': 'precision="auto"'}
    args = ("--space", space(**begun), "--results", tmp_path, "--stages", "teachers")
    best, folder = device_.best_precision(), StudyFolder(tmp_path, "small")
    assert launch(*args).returncode == 0
    assert precision.kept(folder) == best

    other = other_than(best)
    precision.keep(folder, other)
    moved = launch(*args)
    assert moved.returncode == 0, moved.stdout + moved.stderr
    assert f"precision: {other}, as when this study began; auto would be {best} here" in moved.stdout
    first, second = read_records(folder.journal).values()
    assert (first.config["training"]["precision"], second.config["training"]["precision"]) == (best, other)
    assert f"trained already ({second.key})" in launch(*args, "--dry-run").stdout
