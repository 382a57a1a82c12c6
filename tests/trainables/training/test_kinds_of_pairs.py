"""A CNN teaches a ViT, a ViT a CNN, a ViT a ViT: by regions, by features, kept or live, resumed."""

from __future__ import annotations

import math

import pytest
import torch

from tests.trainables.models.test_tokens import AVERAGE, CLASS_TOKEN
from tests.trainables.trials import CPU, CRD, SD_DKD, Run, file_teacher, tiny
from trainables.config import Method
from trainables.data.dataset import DataSet
from trainables.engine.head import MultiScaleHead
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.models.weights import load_published, state_sha256
from trainables.storage.run_store import RunStore
from trainables.teacher.cached import CachedTeacher
from trainables.teacher.opening import load_teacher, open_teacher

pytestmark = pytest.mark.usefixtures("one_thread")
pytest.importorskip("timm")

PAIRS = [("wrn_10_1", CLASS_TOKEN), (CLASS_TOKEN, "resnet8"), (AVERAGE, CLASS_TOKEN), (CLASS_TOKEN, AVERAGE)]


@pytest.mark.parametrize(("teacher", "student"), PAIRS)
def test_any_kind_teaches_any(teacher: str, student: str, store: RunStore, digits: DataSet) -> None:
    config = tiny(
        Method(logit=SD_DKD, features=(CRD,)),
        teacher=file_teacher(store, teacher),
        student=student,
        training={"epochs": 1, "lr": 0.01},
    )
    (report,) = Run(config, store, digits).reports
    assert math.isfinite(report["train/loss"])
    assert report["train/loss_logit"] > 0
    assert report["train/loss_feature"] > 0


def test_a_token_teachers_kept_outputs_are_its_live_ones(store: RunStore, digits: DataSet) -> None:
    config = tiny(Method(logit=SD_DKD), teacher=file_teacher(store, CLASS_TOKEN), student="resnet8")
    assert config.teacher is not None
    network = load_teacher(config.teacher, store, digits, CPU)
    teacher = open_teacher(network, TrialInputs(config, store, digits), Runtime(CPU))
    assert isinstance(teacher, CachedTeacher)
    teacher.begin_epoch(digits.train, digits.train.plan(32, epoch=1))
    batch = next(iter(digits.train.batches(32, epoch=1)))
    teacher.advance(len(batch.target))
    with torch.no_grad():
        live = MultiScaleHead(network, (1, 2, 4))(batch.images)
    torch.testing.assert_close(teacher(batch).regions, live.regions, rtol=2**-9, atol=1e-4)
    assert (live.regions[:, 0] - live.regions[:, 1:5].mean(1)).abs().max() > 0.1  # no average of regions


def test_a_token_student_goes_on_where_it_stood(store: RunStore, digits: DataSet) -> None:
    config = tiny(Method(logit=SD_DKD), teacher=file_teacher(store), student=CLASS_TOKEN)
    whole = Run(config, store, digits)
    other = RunStore(store.root / "other")  # type: ignore[operator]
    file_teacher(other)
    Run(config, other, digits, stop_after=2)
    again = Run(config, other, digits)
    assert again.numbers == whole.numbers
    states = [load_published(place.run(config.trial_key).student()) for place in (store, other)]
    assert state_sha256(states[0]) == state_sha256(states[1])
