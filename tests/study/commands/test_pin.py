"""``sdd-study pin``: the file it prints plans trials with the very keys it was made from."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from study.plan.trial import PlannedTrial
from study.workspace.folder import StudyFolder
from tests.study.commands.conftest import Command
from tests.study.made import record, write_folder
from trainables import models
from trainables.config import Teacher
from trainables.config.serialization import to_plain
from trainables.losses import user_losses as user_code
from trainables.losses.catalog import LOGIT_LOSSES
from trainables.teacher.importing import file_teacher

Write = Callable[..., Path]
TEACHER = Teacher(name="resnet8", weights="0" * 64)
METHODS = {
    "kd": "KD()",
    "supervised": "Supervised()",
    "sd-dkd": 'SDD(base="dkd", alpha=1.7, beta=3.25, scales=(1, 4), reduction="sum", warmup_epochs=3,'
    ' options={"dkd": {"beta": 6.5, "temperature": 3.0}})',
    "feature": 'Feature("reviewkd", plus=DKD(), weight=0.7, warmup_epochs=2)',
    "crd": 'Feature("crd", weight=0.3, negatives=32)',
    "trained otherwise": 'KD(training={"optimizer": "adamw", "nesterov": False, "lr": 0.05,'
    ' "adam_beta2": 0.99, "label_smoothing": 0.1, "ema_decay": 0.9, "augment_strength": 0.4})',
    "two momenta": 'KD(training={"optimizer": "dot", "nesterov": False, "dot_delta": 0.05, "momentum": 0.8})',
    "own": 'SDD(base="halved", options={"halved": {"power": 3.0}}, alpha=2.0)',
}
OWN = '''
from trainables.losses import register_logit_loss

HALF = 0.5

@register_logit_loss("halved")
def halved(student, teacher, target, *, power=2.0):
    """Half the distance."""
    return HALF * (student - teacher).abs().pow(power).mean(1)

STUDY = StudySpec('''


def study_of(file: Path, results: Path, *planned_trials: Callable[[Plan], PlannedTrial]) -> Plan:
    """A folder as a launch of ``file`` leaves it, with these jobs done."""
    plan = resolve(load_space(file))
    pair = plan.spec.pairs[0]
    ran = [
        *([plan.teacher_trial(pair)] if pair.weights is None else []),
        *(planned(plan) for planned in planned_trials),
    ]
    records = []
    for planned in ran:
        done = record(planned.config, [{"val/top1": 50.0}] * 2, planned.stage, planned.pair, planned.role)
        records.append(done)
    write_folder(results, "made", records)
    spec = {**to_plain(plan.spec), "code": list(plan.user_code)}
    (results / "made" / "study.json").write_text(json.dumps(spec))
    return plan


def searched(plan: Plan, teacher: Teacher = TEACHER) -> PlannedTrial:
    pair, method = plan.spec.pairs[0], plan.spec.methods[0]
    return PlannedTrial(plan.fixed_config(pair, method, teacher), "search", pair.label, method.label)


def confirmed(plan: Plan) -> PlannedTrial:
    return plan.confirm_trials(searched(plan).config, plan.spec.pairs[0].label, "best")[1]


def forget_own_losses() -> None:
    """As in a process that has not loaded the space file."""
    LOGIT_LOSSES.pop("halved", None)
    user_code._now.clear()


def pinned(command: Command, results: Path, key: str) -> Plan:
    forget_own_losses()
    code, text, complaint = command("pin", "made", "--trial", key[:9], "--results", results)
    assert (code, complaint) == (0, "")
    file = results.parent / "pinned.py"
    file.write_text(text)
    forget_own_losses()
    return resolve(load_space(file))


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("kind", [searched, confirmed], ids=lambda kind: kind.__name__)
def test_methods(
    space: Write, tmp_path: Path, command: Command, name: str, kind: Callable[[Plan], PlannedTrial]
) -> None:
    methods = space().read_text().split("methods=")[1].split("\n")[0]
    file = space(**{methods: f"[{METHODS[name]}],", "Training(epochs=2": "Training(nesterov=True, epochs=2"})
    if name == "own":
        file.write_text(file.read_text().replace("STUDY = StudySpec(", OWN))
    forget_own_losses()
    plan = study_of(file, tmp_path / "results", kind)
    key, others = kind(plan).key, (searched(plan).key, confirmed(plan).key)
    again = pinned(command, tmp_path / "results", key)
    assert (searched(again).key, confirmed(again).key) == others
    forget_own_losses()
    assert again.teacher_trial(again.spec.pairs[0]).key == plan.teacher_trial(plan.spec.pairs[0]).key


def test_a_teacher_trained_otherwise_an_own_rate_and_a_seed(
    space: Write, tmp_path: Path, command: Command
) -> None:
    text = {
        'Pair("resnet8", "wrn_10_1")': 'Pair("resnet8", "MobileNetV2", training={"lr": 0.05})',
        "KD(), SDD": "SDD",
        "search=Search(": "teacher_training=Training(epochs=5, precision='tf32'), search=Search(seed=7, ",
        "scales=Choice((1, 2), (1, 2, 4))": "scales=(1, 2)",
        'base=Choice("kd", "dkd"), alpha=LogFloat(0.25, 4)': "alpha=2.5",
    }
    plan = study_of(space(**text), tmp_path / "results", searched)
    assert searched(plan).config.training.lr == 0.05
    again = pinned(command, tmp_path / "results", searched(plan).key)
    assert searched(again).key == searched(plan).key
    assert again.teacher_trial(again.spec.pairs[0]).key == plan.teacher_trial(plan.spec.pairs[0]).key


def test_imported_weights_are_the_file_or_what_was_filed_of_it(
    space: Write, tmp_path: Path, command: Command
) -> None:
    network, file = models.build("resnet8", 10, image_size=32), tmp_path / "teacher.pth"
    torch.save({"model": network.state_dict()}, file)
    results = tmp_path / "results"
    store = StudyFolder(results, "made").store
    teacher = file_teacher(store, "resnet8", network.state_dict(), {})
    text = {'Pair("resnet8", "wrn_10_1")': f'Pair("resnet8", "wrn_10_1", weights={str(file)!r})'}
    plan = study_of(space(**text), results, lambda plan: searched(plan, teacher))
    key = searched(plan, teacher).key
    given = pinned(command, results, key)
    assert given.spec.pairs[0].weights == str(file)
    assert searched(given, teacher).key == key
    file.unlink()
    filed = pinned(command, results, key)
    assert filed.spec.pairs[0].weights == str(store.teacher(teacher.weights))
    store.teacher(teacher.weights).unlink()
    code, _, complaint = command("pin", "made", "--trial", key, "--results", results)
    assert (code, complaint.count("\n")) == (2, 1)
    assert "weight file" in complaint


def test_the_best_trial_unless_one_is_named(
    space: Write, tmp_path: Path, command: Command, asked: Callable[..., Any]
) -> None:
    plan = study_of(space(), tmp_path / "results", searched)
    found = asked("pin", "made", "--results", tmp_path / "results")
    assert (found["trial"], found["value"]) == (searched(plan).key, 50.0)
    assert "STUDY = StudySpec(" in found["space"]
    teacher = plan.teacher_trial(plan.spec.pairs[0]).key
    for arguments, complaint in (
        (["--trial", searched(plan).key[:-1] + "z"], f"did you mean '{searched(plan).key}'?"),
        (["--trial", teacher], "trained the teacher resnet8; pin the trial of a student"),
        (
            ["--pair", "a-b"],
            "no search trial of pair 'a-b' (there are resnet8-wrn_10_1) with a value",
        ),
    ):
        code, out, said = command("pin", "made", "--results", tmp_path / "results", *arguments)
        assert (code, out) == (2, "")
        assert complaint in said
