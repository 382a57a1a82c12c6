"""The table of published settings, spot-checked against the paper and the released configurations."""

from __future__ import annotations

import dataclasses

import pytest

from study.spec import Choice, Float, Int, LogFloat, Pair
from study.spec import published as paper
from study.spec.methods import DKD, KD, NKD, SDD
from study.spec.published import PaperCase
from trainables.config import Training


@pytest.mark.parametrize(
    ("teacher", "student", "beta"),
    [
        ("resnet32x4", "MobileNetV2", 8.0),
        ("resnet32x4", "resnet8x4", 8.0),
        ("ResNet50", "MobileNetV2", 8.0),
        ("ResNet50", "vgg8", 8.0),
        ("wrn_40_2", "vgg8", 8.0),
        ("wrn_40_2", "MobileNetV2", 6.0),
        ("wrn_40_2", "wrn_16_2", 6.0),
        ("wrn_40_2", "wrn_40_1", 6.0),
        ("vgg13", "MobileNetV2", 6.0),
        ("vgg13", "vgg8", 6.0),
        ("resnet56", "resnet20", 2.0),
        ("resnet110", "resnet32", 2.0),
    ],
)
@pytest.mark.parametrize("data", ["cifar100", "cub200"])
def test_beta_of_dkd_follows_the_pair(teacher: str, student: str, beta: float, data: str) -> None:
    for method in (DKD(), SDD(base="dkd")):
        logit = method.method(PaperCase(teacher, student, data)).logit
        assert logit is not None
        assert logit.options == {"alpha": 1.0, "beta": beta, "temperature": 4.0}
        assert (logit.alpha, logit.warmup_epochs) == (1.0, 20)


def test_imagenet_has_settings_of_its_own() -> None:
    same = PaperCase("torchvision:resnet34", "torchvision:resnet18", "imagenet")
    other = PaperCase("torchvision:resnet50", "MobileNetV1", "imagenet")
    for case, beta, scales in ((same, 0.5, (1, 2)), (other, 2.0, (1, 2, 4))):
        logit = SDD(base="dkd").method(case).logit
        assert logit is not None
        assert logit.options == {"alpha": 1.0, "beta": beta, "temperature": 1.0}
        assert (logit.scales, logit.warmup_epochs) == (scales, 1)
    kd = KD().method(same).logit
    assert kd is not None
    assert kd.options == {"temperature": 4.0}
    training = paper.TRAINING["imagenet"]
    assert (training.epochs, training.batch_size, training.lr) == (100, 512, 0.2)
    assert (training.milestones, training.weight_decay) == ((30, 60, 90), 1e-4)
    assert Pair("torchvision:resnet50", "MobileNetV1").student_training(training).lr == 0.2


def test_kd_weighs_both_terms_and_has_no_warm_up() -> None:
    method = SDD().method(PaperCase("resnet32x4", "MobileNetV2", "cifar100"))
    assert method.logit is not None
    assert (method.ce_weight, method.logit.alpha, method.logit.warmup_epochs) == (0.1, 0.9, 0)
    assert (method.logit.consistent_weight, method.logit.complementary_weight) == (1.0, 2.0)
    nkd = NKD().method()
    assert nkd.logit is not None
    assert nkd.logit.options == {"temperature": 1.0, "gamma": 1.5, "as_released": False}
    assert (nkd.ce_weight, nkd.logit.warmup_epochs) == (1.0, 20)


@pytest.mark.parametrize(
    ("teacher", "student", "scales"),
    [
        ("resnet32x4", "resnet8x4", (1, 2)),
        ("wrn_40_2", "wrn_16_2", (1, 2)),
        ("vgg13", "vgg8", (1, 2)),
        ("ResNet50", "vgg8", (1, 2, 4)),
        ("resnet32x4", "ShuffleV1", (1, 2, 4)),
        ("wrn_40_2", "resnet8", (1, 2, 4)),
        ("timm:resnet18.a1", "torchvision:resnet18", (1, 2)),
    ],
)
def test_scales_follow_the_families(teacher: str, student: str, scales: tuple[int, ...]) -> None:
    assert paper.scales(PaperCase(teacher, student)) == scales


@pytest.mark.parametrize(
    ("student", "lr"), [("MobileNetV2", 0.01), ("ShuffleV1", 0.01), ("ShuffleV2", 0.01), ("vgg8", 0.05)]
)
def test_small_students_learn_at_their_own_rate(student: str, lr: float) -> None:
    pair = Pair("resnet32x4", student)
    assert pair.student_training(Training()).lr == lr
    assert pair.student_training(Training(lr=0.3)).lr == 0.3
    assert pair.student_training(Training(lr=0.05)).lr == 0.05, "written, though it is the default's value"
    assert pair.student_training(dataclasses.replace(Training(), epochs=3)).lr == lr
    assert Pair("resnet32x4", student, training={"lr": 0.02}).student_training(Training()).lr == 0.02


def test_at_paper_sets_every_domain_to_the_published_value() -> None:
    searched = SDD(
        base=Choice("dkd", "nkd"),
        alpha=LogFloat(0.25, 4),
        beta=Float(1, 8),
        scales=Choice((1, 2), (1, 2, 4)),
        ce_weight=Float(0.1, 2),
        warmup_epochs=Int(0, 30),
        reduction=Choice("mean", "sum"),
        options={"dkd": {"beta": Float(2, 10)}, "nkd": {"gamma": Float(1, 2)}},
    )
    case = PaperCase("vgg13", "MobileNetV2", "cifar100")
    fixed = searched.at_paper(case)
    assert not fixed.searched
    assert fixed.method(case) == SDD(base="dkd").method(case)


def test_every_exception_names_its_source() -> None:
    assert all(row.source.startswith(("P ", "R ")) for row in paper.EXCEPTIONS)
    assert all(row.base in paper.BASE_LOSSES for row in paper.EXCEPTIONS)
