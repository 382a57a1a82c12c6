"""Methods: what a search may vary, what the paper's point is, and that each knob changes the loss."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from study.spec.distillation import Distillation
from study.spec.domains import Choice, Domain, Float, Int, LogFloat
from study.spec.methods import DKD, KD, NKD, SDD, Feature, Supervised, plain
from study.spec.published import PAPER_BASES, PaperCase
from trainables import models
from trainables.config import ConfigError, LogitTerm, Method
from trainables.engine.criterion import Criterion
from trainables.engine.head import HeadOutputs, MultiScaleHead, feature_shapes
from trainables.losses import check_logit_loss
from trainables.losses.catalog import BUILT_IN_LOGIT_LOSSES
from trainables.losses.features import Features, FeatureShapes
from trainables.models.multiscale import region_logits

IMAGES, CHANNELS, CLASSES = 32, 6, 5


def outputs(scales: tuple[int, ...], seed: int) -> HeadOutputs:
    """A network's outputs for random final maps [B, C, 4, 4]."""
    generator = torch.Generator().manual_seed(seed)
    final = torch.randn(IMAGES, CHANNELS, 4, 4, generator=generator)
    classifier = nn.Linear(CHANNELS, CLASSES)
    nn.init.normal_(classifier.weight, std=2.0, generator=generator)
    wanted = (1, *(scale for scale in scales if scale != 1))
    strong = region_logits(final.flip(0), classifier, wanted)
    features = Features((final,), (final,), final.mean((2, 3)))
    return HeadOutputs(region_logits(final, classifier, wanted), features, strong)


def loss(method: Method, epoch: int = 1) -> float:
    """The whole loss of ``method`` on one fixed batch."""
    scales = method.logit.scales if method.logit else (1,)
    shapes = FeatureShapes(((CHANNELS, 4, 4),))
    criterion = Criterion(method, shapes, shapes, images=torch.arange(IMAGES))
    torch.manual_seed(0)
    student, teacher = outputs(scales, seed=1), outputs(scales, seed=2)
    target = torch.arange(IMAGES) % CLASSES
    terms = criterion(student, teacher, target, torch.arange(IMAGES), epoch)
    return float(torch.stack(list(terms.values())).sum().detach())


class At:
    """An Optuna trial that suggests one end of each range, or the first or last choice."""

    def __init__(self, high: bool) -> None:
        self.high = high
        self.params: dict[str, Any] = {}

    def suggest_float(
        self, name: str, low: float, high: float, *, step: float | None = None, log: bool = False
    ) -> float:
        return high if self.high else low

    def suggest_int(self, name: str, low: int, high: int, *, log: bool = False) -> int:
        return high if self.high else low

    def suggest_categorical(self, name: str, choices: list[str]) -> Any:
        return choices[-1 if self.high else 0]


KNOBS: dict[str, Any] = {
    "base": Choice("kd", "dkd", "nkd"),
    "alpha": LogFloat(0.25, 4),
    "beta": Float(1, 8),
    "scales": Choice((1, 2), (1, 2, 4)),
    "ce_weight": Float(0.1, 1),
    "consistent_weight": Float(0, 1),
    "reduction": Choice("mean", "sum"),
    "agreement": Choice("released", "text"),
    "standardize": Choice("no", "region", "whole"),
    "warmup_epochs": Int(1, 20),
}


@pytest.mark.parametrize("name", KNOBS)
def test_turning_a_knob_changes_the_loss(name: str) -> None:
    method = dataclasses.replace(SDD(scales=(1, 2)), **{name: KNOBS[name]})
    low, high = (method.suggest(At(end)).method() for end in (False, True))
    assert low != high
    assert loss(low) != pytest.approx(loss(high), rel=1e-3)


@pytest.mark.parametrize(
    ("base", "option", "domain"),
    [
        ("kd", "temperature", Float(1, 8)),
        ("dkd", "alpha", Float(0.5, 2)),
        ("dkd", "beta", Float(2, 10)),
        ("dkd", "temperature", Float(1, 8)),
        ("nkd", "gamma", Float(0.5, 3)),
        ("nkd", "temperature", Float(1, 4)),
        ("nkd", "as_released", Choice(False, True)),
    ],
)
def test_turning_an_option_of_a_base_changes_the_loss(base: str, option: str, domain: Domain) -> None:
    method = SDD(base=base, scales=(1, 2), options={base: {option: domain}})
    low, high = (method.suggest(At(end)).method() for end in (False, True))
    # past the warm-up, so that the distillation term has its whole weight
    assert loss(low, epoch=20) != pytest.approx(loss(high, epoch=20), rel=1e-3)


NEWER = [
    (base, option)
    for base in sorted(BUILT_IN_LOGIT_LOSSES - set(PAPER_BASES))
    for option in check_logit_loss(base)
]


@pytest.mark.parametrize(("base", "option"), NEWER)
def test_every_option_of_a_newer_base_is_searched(base: str, option: str) -> None:
    default = check_logit_loss(base)[option]
    domain: Domain = (
        Int(2, 3) if isinstance(default, int) else Float(0.5 * float(default), 2 * float(default))
    )  # type: ignore[arg-type]
    domain = Choice(False, True) if isinstance(default, bool) else domain
    top = 3 if option == "top_weight" else 2  # as there are few classes here
    few: dict[str, Any] = {"top": top} if "top" in check_logit_loss(base) else {}
    if option == "within_weight":
        few = {"weak_confidence": 0.1}  # an untrained teacher is never surer
    method = plain(base, options={**few, option: domain})
    assert [name for name, _, _ in method.domains()] == [f"{base}.{option}"]
    low, high = (method.suggest(At(end)).method() for end in (False, True))
    assert loss(low, epoch=20) != pytest.approx(loss(high, epoch=20), rel=1e-4)


def test_turning_the_weight_of_a_feature_loss_changes_the_loss() -> None:
    method = Feature("sp", plus=KD(), weight=LogFloat(300, 30000))
    assert [name for name, _, _ in method.domains()] == ["sp.weight"]
    low, high = (method.suggest(At(end)).method() for end in (False, True))
    assert (low.features[0].weight, high.features[0].weight) == (300, 30000)
    assert loss(low) != pytest.approx(loss(high), rel=1e-3)


@pytest.mark.parametrize(
    "method",
    [
        SDD(scales=(1, 2), pooling=Choice("map", "released")),
        dataclasses.replace(Feature("at"), maps=Choice("activated", "released")),
    ],
    ids=["pooling", "maps"],
)
def test_turning_what_networks_show_changes_the_loss(method: Distillation) -> None:
    """On wide ResNets, which have layers behind their last stage, and a map that 4 does not divide."""
    case = PaperCase("wrn_16_1", "wrn_10_1", "cifar100")
    torch.manual_seed(0)
    networks = [models.build(name, CLASSES).eval() for name in (case.student, case.teacher)]
    images, target = torch.randn(IMAGES, 3, 28, 28), torch.arange(IMAGES) % CLASSES
    losses = []
    for end in (False, True):
        turned = method.suggest(At(end)).method(case)
        term = turned.logit or LogitTerm()
        maps = turned.maps if turned.features else None
        student, teacher = (
            MultiScaleHead(network, term.scales, features=maps, pooling=term.pooling)(images)
            for network in networks
        )
        shapes = [feature_shapes(network, 28, turned.maps) for network in networks]
        terms = Criterion(turned, *shapes, images=torch.arange(IMAGES))(
            student, teacher, target, target, epoch=1
        )
        losses.append(float(sum(terms.values()).detach()))  # type: ignore[union-attr]
    assert losses[0] != pytest.approx(losses[1], rel=1e-3)


def test_every_field_that_may_hold_a_domain_is_a_knob_here() -> None:
    fixed = {"options", "features", "training"}
    fields = {field for field in Distillation.__dataclass_fields__ if field not in fixed}
    assert fields == {*KNOBS, "pooling", "maps"}


def test_warm_up_ends() -> None:
    method = SDD(warmup_epochs=20).method()
    assert loss(method, 1) < loss(method, 20) == loss(method, 200)


@pytest.mark.parametrize(
    ("method", "label"),
    [
        (KD(), "KD"),
        (NKD(), "NKD"),
        (SDD(base="dkd"), "SD-DKD"),
        (plain("kd", standardize="region"), "KD+LS"),
        (SDD(base="rld", standardize="region"), "SD-RLD+LS"),
        (SDD(base=Choice("kd", "dkd")), "SDD"),
        (Supervised(), "CE"),
        (Feature("crd"), "CRD"),
        (Feature("sp", plus=SDD()), "SD-KD+SP"),
    ],
)
def test_labels(method: Distillation, label: str) -> None:
    assert method.label == label


def test_features_come_with_their_published_weights() -> None:
    alone, added = Feature("crd").method(), Feature("crd", plus=SDD(), negatives=64).method()
    assert (alone.ce_weight, alone.logit) == (1.0, None)
    assert [(term.name, term.weight) for term in (*alone.features, *added.features)] == [("crd", 0.8)] * 2
    assert added.features[0].options == {"negatives": 64}
    assert added.logit == SDD().method().logit
    assert [t.name for t in Feature("sp", plus=Feature("at")).method().features] == ["at", "sp"]
    with pytest.raises(ConfigError, match="weight: -1 is below 0"):
        Feature("sp", weight=Float(-1, 3))


def test_options_of_a_base_are_asked_for_only_when_it_is_chosen() -> None:
    method = SDD(base=Choice("kd", "dkd"), options={"dkd": {"beta": Float(2, 10)}})
    assert method.suggest(At(False)).options == {}
    assert method.suggest(At(True)).options == {"dkd": {"beta": 10}}


def test_the_papers_point_is_stored_where_it_lies_inside() -> None:
    case = PaperCase("vgg13", "vgg8", "cifar100")
    method = Feature(
        "sp",
        plus=SDD(base="dkd", scales=Choice((1, 2), (1, 4)), options={"dkd": {"beta": Float(2, 10)}}),
        weight=LogFloat(300, 30000),
    )
    point = method.paper_point(case)
    assert point == {"scales": "1,2", "dkd.beta": 6.0, "sp.weight": 3000.0}
    outside = SDD(beta=Float(3, 8))
    assert outside.paper_point(case) is None


def test_the_base_losses_alone_leave_regions_out() -> None:
    for method in (KD(), DKD(), NKD()):
        logit = method.method().logit
        assert logit is not None
        assert not logit.decoupled
