from __future__ import annotations

import pytest
import torch
from torch.nn import functional

import trainables.models as models
from tests.trainables.trials import CRD, SD_DKD
from trainables.config import ConfigError, FeatureTerm, LogitTerm, Method
from trainables.config.method import MapKind
from trainables.engine.criterion import Criterion
from trainables.engine.head import HeadOutputs, MultiScaleHead, feature_shapes
from trainables.losses import logit_loss, scale_decoupled
from trainables.models.multiscale import region_logits


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(6, 3, 32, 32, generator=torch.Generator().manual_seed(3))


@pytest.fixture
def target() -> torch.Tensor:
    return torch.tensor([0, 1, 2, 3, 4, 5])


def head(name: str, scales: tuple[int, ...], *, features: MapKind | None = None) -> MultiScaleHead:
    torch.manual_seed(len(name))
    return MultiScaleHead(models.build(name, 10).eval(), scales, features=features)


@pytest.mark.parametrize(("scales", "regions"), [((1,), 1), ((1, 2), 5), ((4, 1, 2), 21), ((2,), 5)])
def test_head_puts_the_whole_image_first(images: torch.Tensor, scales: tuple[int, ...], regions: int) -> None:
    network = head("resnet8", scales)
    outputs = network(images)
    assert outputs.regions.shape == (6, regions, 10)
    assert outputs.features is None
    torch.testing.assert_close(outputs.logits, network.network(images))


def test_head_with_features_gives_the_same_regions(images: torch.Tensor) -> None:
    plain, mapped = head("resnet8", (1, 2))(images), head("resnet8", (1, 2), features="released")(images)
    assert torch.equal(plain.regions, mapped.regions)
    assert mapped.features is not None
    assert [tuple(x.shape[1:]) for x in mapped.features.maps] == list(
        feature_shapes(head("resnet8", (1,)).network, 32).maps
    )


def test_terms_are_what_the_formula_says(images: torch.Tensor, target: torch.Tensor) -> None:
    student, teacher = head("resnet8", (1, 2, 4))(images), head("wrn_10_1", (1, 2, 4))(images)
    method = Method(ce_weight=0.5, logit=SD_DKD)
    terms = Criterion(method)(student, teacher, target, target, epoch=1)
    assert list(terms) == ["ce", "logit"]
    torch.testing.assert_close(terms["ce"], 0.5 * functional.cross_entropy(student.logits, target))
    expected = scale_decoupled(
        logit_loss("dkd"), student.regions, teacher.regions, target, complementary_weight=3.0
    )
    torch.testing.assert_close(terms["logit"], expected)


def test_two_views_are_both_labelled_and_compared(images: torch.Tensor, target: torch.Tensor) -> None:
    student, teacher = head("resnet8", (1, 2)), head("wrn_10_1", (1, 2))
    strong = images.flip(3)
    shown, answered = student(images, strong), teacher(images, strong)
    torch.testing.assert_close(shown.strong, student(strong).regions)
    term = LogitTerm(base="crld", scales=(1, 2), complementary_weight=3.0)
    terms = Criterion(Method(ce_weight=0.5, logit=term))(shown, answered, target, target, epoch=1)
    labelled = [functional.cross_entropy(student(seen).logits, target) for seen in (images, strong)]
    torch.testing.assert_close(terms["ce"], 0.5 * (labelled[0] + labelled[1]))
    of_student, of_teacher = (
        torch.stack([network(seen).regions for seen in (images, strong)]) for network in (student, teacher)
    )
    expected = scale_decoupled(logit_loss("crld"), of_student, of_teacher, target, complementary_weight=3.0)
    torch.testing.assert_close(terms["logit"], expected)


def test_regions_are_standardised_by_the_whole_image_also_where_it_is_no_region(
    images: torch.Tensor, target: torch.Tensor
) -> None:
    student, teacher = head("resnet8", (1, 2))(images), head("wrn_10_1", (1, 2))(images)
    term = LogitTerm(scales=(2,), standardize="whole")
    found = Criterion(Method(logit=term))(student, teacher, target, target, epoch=1)["logit"]
    z_s, z_t = (
        (x.regions - x.regions.mean(2, keepdim=True))[:, 1:] / (x.logits.std(1)[:, None, None] + 1e-7)
        for x in (student, teacher)
    )
    kd = logit_loss("kd")(z_s.flatten(0, 1), z_t.flatten(0, 1), target.repeat_interleave(4))
    torch.testing.assert_close(found, kd.mean())


def test_scales_without_the_whole_leave_it_out(images: torch.Tensor, target: torch.Tensor) -> None:
    student, teacher = head("resnet8", (2,)), head("wrn_10_1", (2,))
    method = Method(logit=LogitTerm(scales=(2,), complementary_weight=2.0))
    value = Criterion(method)(student(images), teacher(images), target, target, epoch=1)["logit"]
    first, second = (
        region_logits(net.network.forward_features(images), net.network.classifier, (2,))  # type: ignore[operator, arg-type]
        for net in (student, teacher)
    )
    expected = scale_decoupled(
        logit_loss("kd"),
        first,
        second,
        target,
        teacher_global=teacher(images).logits,
        complementary_weight=2.0,
    )
    torch.testing.assert_close(value, expected)


def test_released_pooling_compares_its_own_global_region(images: torch.Tensor, target: torch.Tensor) -> None:
    """Cross-entropy stays on the logits of the image; a region is complementary to the pooled global one."""
    torch.manual_seed(0)
    regions = [torch.randn(6, 1 + 5, 10) for _ in range(2)]
    student, teacher = (HeadOutputs(each, None) for each in regions)
    method = Method(logit=LogitTerm(scales=(1, 2), complementary_weight=3.0, pooling="released"))
    terms = Criterion(method)(student, teacher, target, target, epoch=1)
    torch.testing.assert_close(terms["ce"], functional.cross_entropy(regions[0][:, 0], target))
    expected = scale_decoupled(
        logit_loss("kd"), regions[0][:, 1:], regions[1][:, 1:], target, complementary_weight=3.0
    )
    torch.testing.assert_close(terms["logit"], expected)
    assert MultiScaleHead(models.build("resnet8", 10), (1, 2), pooling="released").region_count == 6


def test_scales_that_released_pooling_does_not_have_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"pooling: 'released' pools 4x4 cells, which scales \(1, 3\)"):
        LogitTerm(scales=(1, 3), pooling="released")


def test_warm_up_scales_each_term_by_itself(images: torch.Tensor, target: torch.Tensor) -> None:
    student = head("resnet8", (1,), features="released")
    teacher = head("wrn_10_1", (1,), features="released")
    method = Method(
        logit=LogitTerm(alpha=2.0, warmup_epochs=4),
        features=(FeatureTerm(name="pkt", weight=3.0, warmup_epochs=2),),
    )
    shapes = (feature_shapes(student.network, 32), feature_shapes(teacher.network, 32))
    criterion = Criterion(method, *shapes, images=torch.arange(10))
    early, late = (
        criterion(student(images), teacher(images), target, target, epoch=epoch) for epoch in (1, 9)
    )
    torch.testing.assert_close(early["logit"] * 4, late["logit"])
    torch.testing.assert_close(early["feature"] * 2, late["feature"])
    assert torch.equal(early["ce"], late["ce"])


def test_without_a_teacher_there_is_cross_entropy_alone(images: torch.Tensor, target: torch.Tensor) -> None:
    student = head("resnet8", (1,))(images)
    assert list(Criterion(Method())(student, None, target, target, epoch=1)) == ["ce"]


def test_losses_are_float32_whatever_the_networks_compute_in(
    images: torch.Tensor, target: torch.Tensor
) -> None:
    method = Method(logit=SD_DKD)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        student, teacher = head("resnet8", (1, 2, 4))(images), head("wrn_10_1", (1, 2, 4))(images)
    assert student.regions.dtype == torch.bfloat16
    terms = Criterion(method)(student, teacher, target, target, epoch=1)
    assert {value.dtype for value in terms.values()} == {torch.float32}


def test_feature_loss_without_shapes_is_refused() -> None:
    with pytest.raises(ValueError, match="crd"):
        Criterion(Method(features=(CRD,)))


def test_no_gradient_reaches_the_teacher(images: torch.Tensor, target: torch.Tensor) -> None:
    student = head("resnet8", (1, 2))(images)
    regions = torch.randn(6, 5, 10, requires_grad=True)
    terms = Criterion(Method(logit=LogitTerm(scales=(1, 2))))(
        student, HeadOutputs(regions, None), target, target, epoch=1
    )
    terms["logit"].backward()
    assert regions.grad is None
