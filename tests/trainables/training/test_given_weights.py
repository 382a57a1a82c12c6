"""Given weights are measured once, and trained by nothing."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from tests.trainables.trials import CPU, Run, file_teacher, tiny
from trainables.config import LogitTerm, Method, Teacher, Training, TrialConfig
from trainables.config.serialization import ConfigError
from trainables.data.dataset import DataSet
from trainables.engine.evaluation import EVALUATION_BATCH
from trainables.models import ModelError, build
from trainables.storage.run_store import RunStore
from trainables.teacher.importing import read_teacher
from trainables.teacher.opening import MissingTeacher, load_teacher

pytestmark = pytest.mark.usefixtures("one_thread")
ONCE = {"epochs": 1}


def given(teacher: Teacher) -> TrialConfig:
    return tiny(training=ONCE, student=teacher.name, weights=teacher.weights, fit="all", test="end")


def test_they_are_measured_on_the_test_split_and_filed_as_they_were(store: RunStore, digits: DataSet) -> None:
    teacher = file_teacher(store)
    run = Run(given(teacher), store, digits)
    network = load_teacher(teacher, store, digits, CPU)
    right = [
        int((network(batch.images).argmax(1) == batch.target).sum())
        for batch in digits.test.batches(EVALUATION_BATCH, epoch=None)
    ]
    (report,) = run.reports
    assert report["test/top1"] == pytest.approx(100 * sum(right) / len(digits.test))
    assert (report["epoch"], "val/top1" in report, "train/loss" in report) == (1, False, False)
    assert run.result is not None
    assert run.result["weights"] == teacher.weights
    assert Run(given(teacher), store, None).reports == run.reports, "a finished one is replayed"  # type: ignore[arg-type]


def test_weights_that_are_not_filed_are_told(store: RunStore, digits: DataSet) -> None:
    with pytest.raises(MissingTeacher, match="no weights of teacher wrn_10_1 are filed"):
        Run(given(Teacher(name="wrn_10_1", weights="0" * 64)), store, digits)


def test_they_are_another_trial_than_the_network_s_training() -> None:
    assert (
        given(Teacher(name="resnet8", weights="0" * 64)).trial_key
        != tiny(training=ONCE, fit="all", test="end").trial_key
    )


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"training": Training(epochs=2, precision="float32")}, "reported on once"),
        ({"teacher": Teacher(name="resnet8", weights="1"), "method": Method(logit=LogitTerm())}, "measured"),
    ],
)
def test_given_ones_are_not_trained(changes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=f"weights: .*{said}"):
        dataclasses.replace(given(Teacher(name="resnet8", weights="0" * 64)), **changes)


def test_a_file_whose_weights_are_no_numbers_is_refused(tmp_path: Path) -> None:
    state = build("resnet8", 10, image_size=32).state_dict()
    next(iter(state.values())).view(-1)[0] = float("inf")
    torch.save(state, tmp_path / "diverged.pth")
    with pytest.raises(ModelError, match=r"diverged\.pth: .* holds values that are NaN or infinite"):
        read_teacher(tmp_path / "diverged.pth", "resnet8", 10, 32)
