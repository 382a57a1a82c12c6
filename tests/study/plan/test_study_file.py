"""``study.json`` is read as what it says, and written as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from study.errors import UserError
from study.plan.study_file import StudyFile
from study.spec import SDD, Budget, Data, LogFloat, Pair, StudySpec
from study.spec.rungs import Rung
from study.workspace.folder import StudyFolder

SPEC = StudySpec(
    data=Data(name="cifar100"),
    pairs=(Pair("resnet20", "resnet8", weights="teacher.pth"),),
    methods=(SDD(alpha=LogFloat(1, 4)),),
    budget=Budget(trials=7, hours=1.5),
)


def test_what_was_written_is_read(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path, "mine")
    folder.path.mkdir()
    made = StudyFile.of(SPEC, ("# code\n",), [{"label": "pairs/SDD"}], {"a-b": {"student/parameters": 5.0}})
    made.write(folder)
    assert StudyFile.read(folder) == made
    assert (made.metric, made.budget) == ("val/top1", SPEC.budget)
    assert made.confirm == SPEC.confirm
    assert made.pairs == {"resnet20-resnet8": SPEC.pairs[0]}
    made.with_ends({"pairs/SDD": "budget.trials: 7 of 7 are done"}).write(folder)
    plain = json.loads((folder.path / "study.json").read_text())
    assert list(plain)[-5:] == ["code", "searches", "rungs", "costs", "ended"]
    assert "ended" not in StudyFile.read(folder).fields
    assert made.rungs == (Rung(60, 50),)


def test_no_file_says_nothing(tmp_path: Path) -> None:
    assert StudyFile.read(StudyFolder(tmp_path, "mine")) == StudyFile()


def test_what_this_version_does_not_know_is_passed_over_and_nonsense_is_refused(tmp_path: Path) -> None:
    folder = StudyFolder(tmp_path, "mine")
    folder.path.mkdir()
    file = folder.path / "study.json"
    file.write_text(json.dumps({"budget": {"trials": 3, "since_later": 1}}))
    assert StudyFile.read(folder).budget == Budget(trials=3)
    file.write_text(json.dumps({"budget": {"trials": "many"}}))
    with pytest.raises(UserError, match=r"study\.json: written by another version, or edited: trials: "):
        StudyFile.read(folder)
    for odd in ({"pairs": [{"student": "resnet8"}]}, {"rungs": [[1]]}, {"pairs": [{"teacher": {}}]}):
        file.write_text(json.dumps(odd))
        with pytest.raises(UserError, match=r"study\.json: written by another version, or edited: "):
            StudyFile.read(folder)
    for damaged in ('{"budget": {"tri', "[]"):
        file.write_text(damaged)
        with pytest.raises(
            UserError, match=r"study\.json: damaged, no .*; move it away, and launch the study"
        ):
            StudyFile.read(folder)
