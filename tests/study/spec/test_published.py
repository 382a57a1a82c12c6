"""The table of published settings, spot-checked against the paper and the released configurations."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from study.spec import Choice, Float, Int, LogFloat, Pair, plain
from study.spec import published as paper
from study.spec.distillation import Distillation
from study.spec.methods import DKD, KD, NKD, SDD, Feature
from study.spec.published import PaperCase
from trainables.config import Training
from trainables.losses import check_logit_loss
from trainables.losses.catalog import BUILT_IN_LOGIT_LOSSES


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
        lower = method.plain and (teacher, student) == ("resnet32x4", "MobileNetV2")
        assert logit.options == {"alpha": 1.0, "beta": 6.0 if lower else beta, "temperature": 4.0}
        assert (logit.alpha, logit.warmup_epochs) == (1.0, 20)


def test_imagenet_has_settings_of_its_own() -> None:
    same = PaperCase("torchvision:resnet34", "torchvision:resnet18", "imagenet")
    other = PaperCase("torchvision:resnet50", "MobileNetV1", "imagenet")
    for case, beta, scales in ((same, 0.5, (1, 2)), (other, 2.0, (1, 2, 4))):
        logit = SDD(base="dkd").method(case).logit
        assert logit is not None
        assert logit.options == {"alpha": 1.0, "beta": beta, "temperature": 1.0}
        assert (logit.scales, logit.warmup_epochs) == (scales, 1)
    for case in (same, other):
        plain, decoupled = KD().method(case), SDD().method(case)
        assert plain.logit is not None
        assert decoupled.logit is not None
        assert (plain.ce_weight, plain.logit.alpha, plain.logit.options) == (0.5, 0.5, {"temperature": 1.0})
        assert (decoupled.ce_weight, decoupled.logit.alpha) == (0.1, 0.9)
        assert decoupled.logit.options == {"temperature": 4.0}
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
    ("pair", "data", "method", "scales"),
    [
        (("vgg13", "vgg8"), "cub200", SDD(), (1, 2, 4)),
        (("vgg13", "vgg8"), "cub200", SDD(base="dkd"), (1, 2, 4)),
        (("vgg13", "vgg8"), "cifar100", SDD(), (1, 2)),
        (("ResNet50", "vgg8"), "cifar100", SDD(base="nkd"), (1, 2)),
        (("wrn_40_2", "vgg8"), "cifar100", SDD(base="nkd"), (1, 2)),
        (("wrn_40_2", "vgg8"), "cifar100", SDD(), (1, 2, 4)),
        (("wrn_40_2", "ShuffleV1"), "cifar100", SDD(base="nkd"), (1, 2, 4)),
    ],
)
def test_some_pairs_have_scales_of_their_own(
    pair: tuple[str, str], data: str, method: Distillation, scales: tuple[int, ...]
) -> None:
    case = PaperCase(*pair, data)
    logit = method.method(case).logit
    assert logit is not None
    assert logit.scales == scales
    searched = dataclasses.replace(method, scales=Choice((1, 2), (1, 2, 4)))
    assert searched.at_paper(case).scales == scales


@pytest.mark.parametrize(
    ("pair", "data", "weight", "warmup"),
    [
        (("resnet32x4", "resnet8x4"), "cifar100", 5.0, 20),
        (("vgg13", "vgg8"), "cub200", 5.0, 20),
        (("torchvision:resnet34", "torchvision:resnet18"), "imagenet", 1.0, 1),
        (("torchvision:resnet50", "MobileNetV1"), "imagenet", 8.0, 1),
    ],
)
def test_reviewkd_has_its_published_weight_and_warm_up(
    pair: tuple[str, str], data: str, weight: float, warmup: int
) -> None:
    case = PaperCase(*pair, data)
    (term,) = Feature("reviewkd").method(case).features
    assert (term.weight, term.warmup_epochs) == (weight, warmup)
    (given,) = Feature("reviewkd", weight=2.0, warmup_epochs=0).method(case).features
    assert (given.weight, given.warmup_epochs) == (2.0, 0)
    (other,) = Feature("fitnet").method(case).features
    assert (other.weight, other.warmup_epochs) == (100.0, 0)


@pytest.mark.parametrize(
    ("pair", "loss", "maps"),
    [
        (("wrn_40_2", "vgg8"), "fitnet", "released"),
        (("resnet32x4", "MobileNetV2"), "at", "released"),
        (("resnet32x4", "ShuffleV2"), "sp", "released"),
        (("wrn_40_2", "vgg8"), "crd", "activated"),
        (("wrn_40_2", "vgg8"), "sp_multiscale", "activated"),
        (("resnet32x4", "ShuffleV1"), "fitnet", "activated"),
    ],
)
def test_feature_losses_read_the_released_maps_where_there_are_two_kinds(
    pair: tuple[str, str], loss: str, maps: str
) -> None:
    case = PaperCase(*pair, "cifar100")
    method = Feature(loss).method(case)
    assert method.maps == maps
    assert Distillation.of(method).method(case) == method
    assert dataclasses.replace(Feature(loss), maps="activated").method(case).maps == "activated"
    assert KD().method(case).maps == "activated", "nothing reads them"


def test_released_training_clips_and_drops_as_the_released_runs_do() -> None:
    released = {data: paper.released_training(data) for data in ("cifar100", "cub200", "imagenet")}
    assert {training.clip_norm for training in released.values()} == {40.0}
    assert [training.drop_last for training in released.values()] == [False, True, False]
    assert Pair("vgg13", "MobileNetV2").student_training(released["cub200"]).lr == 0.01


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
    rows: list[Any] = [*paper.EXCEPTIONS, *paper.BASE_LOSSES.values(), *paper.STANDARDIZED.values()]
    assert all(row.source for row in rows)
    of_paper = [row for row in paper.EXCEPTIONS if row.base in paper.PAPER_BASES]
    assert all(row.source.startswith(("P ", "R ", "M ")) for row in of_paper)
    assert all(row.base in {"", *paper.BASE_LOSSES} for row in paper.EXCEPTIONS)


def test_every_built_in_loss_has_published_settings_that_it_takes() -> None:
    assert set(paper.BASE_LOSSES) == BUILT_IN_LOGIT_LOSSES
    for base in BUILT_IN_LOGIT_LOSSES:
        for standardize in ("no", "region"):
            for pair in (("resnet32x4", "resnet8x4"), ("wrn_40_2", "wrn_40_1"), ("a", "b")):
                for data in ("cifar100", "imagenet"):
                    found = paper.base_loss(base, PaperCase(*pair, data), standardize)
                    assert check_logit_loss(base, found.options).items() >= found.options.items()


@pytest.mark.parametrize(
    ("base", "case", "alpha", "ce_weight", "options"),
    [
        ("rld", ("vgg13", "vgg8"), 1.0, 1.0, {"beta": 8.0, "top_temperature": 1.0}),
        ("ttm", ("vgg13", "vgg8"), 45.0, 1.0, {"gamma": 0.1}),
        ("ttm", ("wrn_40_2", "wrn_40_1"), 76.0, 1.0, {"gamma": 0.1}),
        ("normkd", ("vgg13", "vgg8"), 0.9, 0.1, {"temperature": 2.0}),
        ("gdkd", ("resnet32x4", "resnet8x4"), 1.0, 1.0, {"top_weight": 2.0, "rest_weight": 8.0}),
        ("gdkd", ("ResNet50", "MobileNetV2"), 1.0, 1.0, {"top_weight": 1.0, "rest_weight": 8.0}),
        ("gdkd", ("vgg13", "vgg8"), 1.0, 1.0, {"top_weight": 1.0, "rest_weight": 6.0}),
        ("ldrld", ("resnet32x4", "resnet8x4"), 1.0, 1.0, {"alpha": 10.5, "beta": 7.0, "top": 7}),
        ("abkd", ("resnet56", "resnet20"), 32.0, 1.0, {"a": 0.8, "b": 0.3}),
    ],
)
def test_newer_losses_carry_the_settings_of_their_releases(
    base: str, case: tuple[str, str], alpha: float, ce_weight: float, options: dict[str, Any]
) -> None:
    method = plain(base).method(PaperCase(*case, "cifar100"))
    assert method.logit is not None
    assert (method.logit.alpha, method.ce_weight) == (alpha, ce_weight)
    assert method.logit.options.items() >= options.items()


def test_standardised_logits_have_settings_of_their_own() -> None:
    kd = plain("kd", standardize="region").method()
    assert kd.logit is not None
    assert (kd.ce_weight, kd.logit.alpha, kd.logit.options) == (0.1, 9.0, {"temperature": 2.0})
    dkd = SDD(base="dkd", standardize="whole").method(PaperCase("resnet56", "resnet20"))
    assert dkd.logit is not None
    assert (dkd.logit.alpha, dkd.logit.options["beta"], dkd.logit.options["temperature"]) == (9.0, 2.0, 2.0)
    assert dkd.label == "SD-DKD+LSW"
    ofa = plain("ofa", standardize="region").method()
    assert ofa.logit is not None
    assert ofa.logit.options == plain("ofa").method().logit.options  # type: ignore[union-attr]


def test_standardising_is_searched_like_any_other_knob() -> None:
    searched = SDD(standardize=Choice("no", "region", "whole"), alpha=LogFloat(0.1, 20))
    assert [name for name, _, _ in searched.domains()] == ["alpha", "standardize"]
    first = searched.at_paper().method()
    assert first.logit is not None
    assert (first.logit.alpha, first.logit.standardize) == (0.9, "no")
    fixed = SDD(standardize="region", alpha=LogFloat(0.1, 20)).at_paper().method()
    assert fixed.logit is not None
    assert fixed.logit.alpha == 9.0
