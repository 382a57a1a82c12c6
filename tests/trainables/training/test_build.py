"""What an engine is built of: losses that keep something of images keep it of those that are trained on."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.trainables.trials import CPU, CRD, DATA, file_teacher, tiny
from trainables.config import Data, FeatureTerm, Method
from trainables.data import load
from trainables.engine.runtime import Runtime, TrialInputs
from trainables.losses import LossError
from trainables.losses.crd import ContrastiveDistillation
from trainables.storage.run_store import RunStore
from trainables.training.build import build_engine


def built(tmp_path: Path, data: Data, term: FeatureTerm = CRD, **fields: Any) -> tuple[Any, Any]:
    """The engine of a trial with CRD, and the split it trains on."""
    store = RunStore(tmp_path / "store")
    loaded = load(data, CPU)
    teacher = file_teacher(store) if data.classes is None else _teacher_of(store, loaded.num_classes)
    config = tiny(Method(features=(term,)), teacher=teacher, **fields)
    config = dataclasses.replace(config, data=data)
    split = loaded.train if config.fit == "train" else loaded.all
    return build_engine(TrialInputs(config, store, loaded), Runtime(CPU)), split


def _teacher_of(store: RunStore, classes: int) -> Any:
    from trainables.models import build
    from trainables.teacher.importing import file_teacher as file_state

    torch.manual_seed(0)
    return file_state(store, "resnet8", build("resnet8", classes).state_dict(), {})


@pytest.mark.parametrize(
    ("data", "fit"),
    [
        (DATA, "train"),
        (DATA, "all"),
        (dataclasses.replace(DATA, classes=(1, 4, 7)), "train"),
        (dataclasses.replace(DATA, fraction=0.7), "train"),
    ],
)
def test_every_row_that_crd_draws_negatives_from_is_trained(tmp_path: Path, data: Data, fit: str) -> None:
    term = dataclasses.replace(CRD, options={"dim": 8, "negatives": 8})
    engine, split = built(tmp_path, data, term, fit=fit, test="end" if fit == "all" else "never")
    (loss,) = engine.criterion.feature_losses
    assert isinstance(loss, ContrastiveDistillation)
    assert len(loss.bank_student) == len(split)
    assert (loss.labels == -1).all()
    engine.train_epoch(split, 1, 0)
    assert torch.equal(loss.labels, split.labels), "each row is of an image of the split, under its label"


def test_the_number_of_negatives_is_checked_against_the_split(tmp_path: Path) -> None:
    term = dataclasses.replace(CRD, options={"dim": 8, "negatives": 75})
    with pytest.raises(LossError, match=r"75 negatives need .* this one has 75; set negatives to at most 74"):
        built(tmp_path, DATA, term)
    built(tmp_path, DATA, dataclasses.replace(CRD, options={"dim": 8, "negatives": 74}))
    built(tmp_path, DATA, term, fit="all", test="end")
