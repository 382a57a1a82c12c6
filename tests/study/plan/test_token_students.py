"""What training a ViT takes, in a space file: mixing, drop path, AdamW; refused where it means nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from study.loading import load_space
from study.plan.plan import Plan
from study.plan.resolve import resolve
from trainables.config import ConfigError

STUDENT = "timm:deit_tiny_patch16_224(patch_size=4,depth=2,embed_dim=48,num_heads=3)"
SPACE = f"""
from study.spec import *

STUDY = StudySpec(
    data=Data(name="cluttered_digits", options={{"scenes": 100, "test": 100}}),
    pairs=(Pair("resnet8", "{STUDENT}"),),
    methods=(KD(), SDD(beta=Float(1, 8))),
    training=Training(
        epochs=2, optimizer="adamw", lr=LogFloat(1e-4, 1e-2), schedule="cosine", lr_warmup_epochs=1,
        mixup=Float(0.1, 1.0), cutmix=1.0, drop_path=Choice(0.0, 0.1), label_smoothing=0.1, ema_decay=0.99,
    ),
    teacher_training=Training(epochs=2),
)
"""


@pytest.fixture
def planned(tmp_path: Path) -> Callable[..., Plan]:
    pytest.importorskip("timm")
    file = tmp_path / "tokens.py"
    file.write_text(SPACE)
    return lambda *changes: resolve(load_space(file, changes))


def test_a_space_searches_what_a_vit_is_trained_with(planned: Callable[..., Plan]) -> None:
    plan = planned()
    assert plan.mixes
    assert "no view is seen twice" in str(plan)
    names = {each.name for each in plan.search_spaces[0].dimensions()}
    assert {"lr", "mixup", "drop_path"} <= names
    assert plan.teacher_trial(plan.spec.pairs[0]).config.training.mixup == 0


def test_without_mixing_views_are_remembered_as_ever(planned: Callable[..., Plan]) -> None:
    plan = planned("training.mixup=0.0", "training.cutmix=0.0")
    assert not plan.mixes
    assert "no view is seen twice" not in str(plan)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("pairs.0.student=resnet8x4", "pairs.0.student: training.drop_path is 0.1, but .*resnet8x4"),
        ("teacher_training.drop_path=0.2", "pairs.0.teacher: training.drop_path is 0.2, but .*resnet8"),
    ],
)
def test_a_drop_path_of_a_network_without_is_refused(
    planned: Callable[..., Plan], change: str, said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        planned(change)
